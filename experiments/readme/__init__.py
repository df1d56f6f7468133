"""The first table of the README: two-dimensional targets, ten seeds each."""
