"""Where fields and particles live: lattices, graphs, and centres of mass removed."""
