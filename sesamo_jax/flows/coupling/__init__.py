"""Flows made of couplings, whose Jacobians are triangular."""
