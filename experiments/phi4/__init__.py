"""Real and complex scalar fields on lattices."""
