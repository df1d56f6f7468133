"""Finite groups of orthogonal maps: elements from generators, cells, chains."""
