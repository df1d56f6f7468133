"""What flows are measured against: chains, populations, integrals; no networks."""
