"""Training one model per seed, all in one compiled program."""
