"""Scan parameters: `python experiments/sweep.py` is `sesamo-jax sweep`."""

from sesamo_jax.run.cli.main import script


def main() -> None:
    """Run the command line."""
    script("sweep")


if __name__ == "__main__":
    main()
