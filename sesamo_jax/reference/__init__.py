"""References that share nothing with the flows."""
