"""Trained samplers as objects: made, kept in folders, and read from those of runs."""
