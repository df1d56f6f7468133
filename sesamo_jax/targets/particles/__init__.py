"""Particles that interact in pairs, without their centre of mass."""
