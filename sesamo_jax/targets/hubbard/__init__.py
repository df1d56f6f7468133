"""The Hubbard model: its action by fermion determinants, and what is exact."""
