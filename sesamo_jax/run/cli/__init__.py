"""The command line, `sesamo-jax` or `python -m sesamo_jax`: one module per command."""
