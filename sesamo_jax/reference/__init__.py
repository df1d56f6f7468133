"""Independent references: quadrature."""
