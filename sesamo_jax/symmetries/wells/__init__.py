"""Wells of an action that no symmetry connects: minima, and maps onto them."""
