"""Configuration: frozen dataclasses, and the checks that need nothing but them.

`Config` says how to build and train a sampler for any target; `Run` adds which target
and which seeds. A None stands for "what suits the target" until `complete` fills it.
"""

from dataclasses import dataclass, field, replace
from math import isfinite

from sesamo_jax.core import Target
from sesamo_jax.density import DENSITIES
from sesamo_jax.flows import FlowConfig, RealNVPConfig
from sesamo_jax.modulation import LAWS
from sesamo_jax.targets import TargetConfig

METHODS = ("sesamo", "canonicalization", "realnvp", "hmc")
OBJECTIVES = ("reverse_kl", "self_reparam", "reinforce", "rao_blackwell")
GRADIENTS = ("path", "total")
BASES = ("gaussian", "spectral", "slice")
SCHEDULES = ("cosine", "plateau")


@dataclass(frozen=True)
class BaseConfig:
    """The Gaussian base q_0.

    Attributes:
        kind: `gaussian`, independent components; `spectral`, a lattice field with a
            learned mean and spectrum; `slice`, the same for complex fields.
        mean: of every component of a `gaussian` base.
        variance: likewise; None takes the target's.
        whiten: the flow works in units of the base's standard deviation.
    """

    kind: str = "gaussian"
    mean: float = 0.0
    variance: float | None = None
    whiten: bool = True


@dataclass(frozen=True)
class PenaltyConfig:
    """Lambda of eq. 11; the defaults pull over distances as far as modes are apart.

    Attributes:
        amplitude: A, in units of the action; 0 switches the penalty off.
        sharpness: B, per unit of x.
        final: amplitude that A has fallen to, linearly, half way through training; kept
            high to the end, the penalty dents the density along the cell's border.
    """

    amplitude: float = 100.0
    sharpness: float = 0.2
    final: float = 20.0


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: optimiser steps.
        batch_size: samples per step, N_B.
        learning_rate: of Adam, at its peak.
        schedule: `cosine` to zero, or `plateau`, the paper's rule on the loss's std.
        patience: plateau steps without progress before the rate drops.
        decay: factor of that drop.
        minimum_learning_rate: floor of the plateau rule.
        clip_norm: largest global norm of a gradient; 0 for none.
        objective: one of `OBJECTIVES`; None takes `rao_blackwell` for a learned law,
            else `reverse_kl`.
        gamma: weight of log Z-hat in `self_reparam`.
        gradient: `path` (log q at fixed flow parameters, through x only) or `total`;
            None takes `path` where it is unbiased: except for canonicalization and the
            objective `self_reparam`.
        density: accounting of the training weights, `cell` (with penalty) or `orbit`.
        chunk: steps per compiled call, between two lines of the history.
    """

    steps: int = 2000
    batch_size: int = 1000
    learning_rate: float = 1e-2
    schedule: str = "cosine"
    patience: int = 2000
    decay: float = 0.92
    minimum_learning_rate: float = 1e-6
    clip_norm: float = 1.0
    objective: str | None = None
    gamma: float = 0.5
    gradient: str | None = None
    density: str = "cell"
    chunk: int = 50


@dataclass(frozen=True)
class EvaluationConfig:
    """How to judge a trained model.

    Attributes:
        samples: drawn per seed.
        batch_size: evaluated at a time; bounds the memory.
        keep: samples per seed written to the run folder.
    """

    samples: int = 100_000
    batch_size: int = 10_000
    keep: int = 10_000


@dataclass(frozen=True)
class HMCConfig:
    """How to run HMC.

    Attributes:
        chains: independent chains.
        warmup: steps that tune step size and masses, and again as many to equilibrate.
        samples: stored per chain.
        thinning: trajectories between stored samples.
        leapfrog_steps: per trajectory.
        acceptance: what the step size is tuned for.
    """

    chains: int = 32
    warmup: int = 500
    samples: int = 1000
    thinning: int = 1
    leapfrog_steps: int = 20
    acceptance: float = 0.8


@dataclass(frozen=True)
class Config:
    """Everything about a sampler except its target.

    Attributes:
        method: one of `METHODS`.
        modulation: `heat_bath`, `exact` or `learned`; used by `sesamo`.
        density: accounting of the report, `orbit`, `strict` or `cell`; None takes
            `orbit`, and for a continuous group `cell`, which is exact on its slice.
        flow: sizes of the flow.
        base: its base density.
        penalty: keeps the flow in the cell.
        training: optimisation.
        evaluation: report.
        hmc: Markov chains, for the method of that name.
    """

    method: str = "sesamo"
    modulation: str = "heat_bath"
    density: str | None = None
    flow: FlowConfig = field(default_factory=RealNVPConfig)
    base: BaseConfig = field(default_factory=BaseConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    hmc: HMCConfig = field(default_factory=HMCConfig)


@dataclass(frozen=True)
class Run:
    """One run of the command line: a target, a configuration, and seeds.

    Attributes:
        target_name: name in the table of targets.
        target: its parameters.
        flow_name: name in the table of flows.
        preset: where the defaults came from.
        seed: first seed.
        seeds: how many, seed, seed + 1, ...
        config: the sampler.
    """

    target_name: str
    target: TargetConfig
    flow_name: str
    preset: str
    seed: int
    seeds: int
    config: Config


def complete(config: Config, target: Target) -> Config:
    """Fill what depends on the target and check that everything fits together.

    Raises:
        ValueError: with one sentence naming the value and the remedy.
    """
    _check_choices(config)
    _check_numbers(config)
    modulated = config.method in ("sesamo", "canonicalization")
    if modulated and target.symmetry is None:
        raise ValueError(
            f"method {config.method!r} needs a symmetry and target {target.name!r} "
            "declares none: use method 'realnvp'"
        )
    if config.method == "hmc" and target.slice_shape is not None:
        raise ValueError(
            f"method 'hmc' samples all of space and target {target.name!r} lives on a "
            "slice of it: set target.space to 'full'"
        )
    training, base = config.training, config.base
    continuous = (
        modulated and target.symmetry is not None and target.symmetry.order is None
    )
    if continuous:
        _check_continuous(config, target)
    learned = config.method == "sesamo" and config.modulation == "learned"
    if training.objective is None:
        unbiased = "reinforce" if continuous else "rao_blackwell"
        objective = unbiased if learned else "reverse_kl"
        training = replace(training, objective=objective)
    if learned and training.objective == "reverse_kl":
        raise ValueError(
            "objective 'reverse_kl' gives a learned modulation no gradient (App. J): "
            "use 'rao_blackwell', 'self_reparam' or 'reinforce'"
        )
    if training.objective == "rao_blackwell" and training.density == "orbit":
        raise ValueError(
            "objective 'rao_blackwell' sums over images in cell accounting: "
            "set training.density to 'cell'"
        )
    if config.method == "canonicalization" and training.objective == "rao_blackwell":
        raise ValueError(
            "canonicalization draws no u to sum over: use objective 'reverse_kl'"
        )
    if training.gradient is None:
        biased = (
            config.method == "canonicalization" or training.objective == "self_reparam"
        )
        training = replace(training, gradient="total" if biased else "path")
    if training.objective == "self_reparam" and training.gradient == "path":
        # The score left out has zero mean under q, but log Z-hat averages it under p.
        raise ValueError(
            "the path gradient is biased for objective 'self_reparam': use gradient "
            "'total', or objective 'rao_blackwell'"
        )
    if config.method == "canonicalization" and training.gradient == "path":
        # Folded at the cell's border, q~ has an edge that moves with the parameters,
        # and the score that the path gradient leaves out no longer has zero mean.
        raise ValueError(
            "canonicalization's density ends at an edge that the flow moves, where the "
            "path gradient is biased: use gradient 'total'"
        )
    if config.method == "canonicalization" and base.mean != 0:
        raise ValueError(
            f"base.mean={base.mean}: canonicalization needs a base that the symmetry "
            "leaves invariant, set base.mean to 0"
        )
    if base.kind == "gaussian" and base.variance is None:
        base = replace(base, variance=float(target.prior_variance))
    density = config.density or ("cell" if continuous else "orbit")
    return replace(config, training=training, base=base, density=density)


def _check_continuous(config: Config, target: Target) -> None:
    """Raise ValueError for what needs a list of the group's elements."""
    known = {
        "method": config.method == "canonicalization",
        "density": config.density in ("orbit", "strict"),
        "training.density": config.training.density == "orbit",
        "training.objective": config.training.objective == "rao_blackwell",
    }
    remedies = {
        "method": "'canonicalization' is defined for finite groups: use 'sesamo'",
        "density": f"{config.density!r} sums over a finite group: use 'cell', which is "
        "exact on the slice",
        "training.density": "'orbit' sums over a finite group: use 'cell'",
        "training.objective": "'rao_blackwell' sums over a finite group: use "
        "'reverse_kl' or 'reinforce'",
    }
    for name, wrong in known.items():
        if wrong:
            raise ValueError(
                f"{target.name!r} has a continuous symmetry, and {name} "
                f"{remedies[name]}"
            )


def _check_choices(config: Config) -> None:
    choices = {
        "method": (config.method, METHODS),
        "modulation": (config.modulation, LAWS),
        "density": (config.density, (None, *DENSITIES)),
        "base.kind": (config.base.kind, BASES),
        "training.objective": (config.training.objective, (None, *OBJECTIVES)),
        "training.gradient": (config.training.gradient, (None, *GRADIENTS)),
        "training.schedule": (config.training.schedule, SCHEDULES),
        "training.density": (config.training.density, ("cell", "orbit")),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            names = ", ".join(option for option in known if option is not None)
            raise ValueError(f"unknown {name} {value!r}; known: {names}")


def _check_numbers(config: Config) -> None:
    training, evaluation = config.training, config.evaluation
    positive = {
        "training.steps": training.steps,
        "training.batch_size": training.batch_size,
        "training.learning_rate": training.learning_rate,
        "training.patience": training.patience,
        "training.chunk": training.chunk,
        "evaluation.samples": evaluation.samples,
        "evaluation.batch_size": evaluation.batch_size,
        "hmc.chains": config.hmc.chains,
        "hmc.warmup": config.hmc.warmup,
        "hmc.samples": config.hmc.samples,
        "hmc.thinning": config.hmc.thinning,
        "hmc.leapfrog_steps": config.hmc.leapfrog_steps,
        "hmc.acceptance": config.hmc.acceptance,
    }
    if config.base.variance is not None:
        positive["base.variance"] = config.base.variance
    for name, value in positive.items():
        if not (value > 0 and isfinite(value)):
            raise ValueError(f"{name}={value} must be positive and finite")
    not_negative = {
        "training.clip_norm": training.clip_norm,
        "penalty.amplitude": config.penalty.amplitude,
        "penalty.sharpness": config.penalty.sharpness,
        "penalty.final": config.penalty.final,
        "evaluation.keep": evaluation.keep,
    }
    for name, value in not_negative.items():
        if not (value >= 0 and isfinite(value)):
            raise ValueError(f"{name}={value} must not be negative, and finite")
    if not isfinite(training.gamma):
        raise ValueError(f"training.gamma={training.gamma} must be finite")
    if not 0 < training.decay < 1:
        raise ValueError(f"training.decay={training.decay} must lie between 0 and 1")
    floor = training.minimum_learning_rate
    if not 0 <= floor <= training.learning_rate:
        raise ValueError(
            f"training.minimum_learning_rate={floor} must lie between 0 and the "
            f"learning rate {training.learning_rate}"
        )
