"""Whether error bars mean what they say, on random targets that are known exactly."""
