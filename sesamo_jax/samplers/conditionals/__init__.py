"""Every other site of a lattice drawn from its exact conditional given the rest."""
