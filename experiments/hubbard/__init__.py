"""The Hubbard model, from two sites to honeycombs."""
