"""Configuration of the samplers without a model."""

from dataclasses import dataclass

from sesamo_jax.core.bounds import fraction, positive, size


@dataclass(frozen=True)
class HMCConfig:
    """How to run HMC.

    Attributes:
        chains: independent chains.
        warmup: steps that tune step size and masses, at least 150 of them, and again as
            many to equilibrate.
        samples: stored per chain.
        thinning: trajectories between stored samples.
        leapfrog_steps: per trajectory, on average; their number is random.
        acceptance: what the step size is tuned for.
        modulation: follow every trajectory by moves along the orbit of the target's
            symmetry, and others, see `reference.moves`; None does where there is one.
        one_start: start all chains from one equilibrated configuration, to see whether
            they find the other sectors.
    """

    chains: int = size(32, least=4, why="R-hat, whether they agree, needs so many")
    warmup: int = size(500)
    samples: int = size(1000)
    thinning: int = size(1)
    leapfrog_steps: int = size(20)
    acceptance: float = fraction(0.8)
    modulation: bool | None = None
    one_start: bool = False


@dataclass(frozen=True)
class SMCConfig:
    """How to run tempered sequential Monte Carlo.

    Attributes:
        populations: independent runs; errors are their spread, so at least 2.
        particles: per population.
        target_ess: effective sample size per particle that a step in temperature
            leaves; closer to 1, more temperatures. Far below, slow modes lag behind
            and log Z comes out too low, with too small an error.
        leapfrog_steps: of the one trajectory per temperature.
        acceptance: what the step size is tuned for.
        modulation: follow every trajectory by moves along the orbit of the target's
            symmetry, and others, see `reference.moves`; None does where there is one.
        resampling: draw the particles anew by their weights at every temperature; if
            not, only at the end, which is annealed importance sampling.
        variance: of the Gaussian that particles start from; None takes the target's, or
            on a lattice the nearest Gaussian field.
    """

    populations: int = size(
        10, least=2, why="errors are the spread between populations"
    )
    particles: int = size(1000)
    target_ess: float = fraction(0.95)
    leapfrog_steps: int = size(20)
    acceptance: float = fraction(0.8)
    modulation: bool | None = None
    resampling: bool = True
    variance: float | None = positive(None)
