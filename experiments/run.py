"""Train, sample and judge one model: `experiments/run.py` is `sesamo-jax run`."""

from sesamo_jax.run.cli.main import script


def main() -> None:
    """Run the command line."""
    script("run")


if __name__ == "__main__":
    main()
