"""Checks of a configuration before any work starts."""
