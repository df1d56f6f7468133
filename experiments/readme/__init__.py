"""The tables of all systems, and two-dimensional targets, ten seeds each."""
