"""How fast the package is, beside the authors' own and other samplers."""
