"""Scalar phi^4 theories on periodic lattices."""
