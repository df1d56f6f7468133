"""`python -m sesamo_jax` is `sesamo-jax`."""

from sesamo_jax.run.cli.main import main

if __name__ == "__main__":
    main()
