"""Samplers with a density: modulated flows and what they are compared with."""
