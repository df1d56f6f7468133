"""Configuration: frozen dataclasses with the ranges of their fields, see `core.bounds`.

`Config` says how to build and train a sampler for any target; `Run` adds which target
and which seeds. A None stands for "what suits the target" until it is filled by
`complete`.
"""

from dataclasses import dataclass, field, fields

from sesamo_jax.bases import BaseConfig
from sesamo_jax.core.bounds import (
    bounded,
    choice,
    fraction,
    positive,
    size,
)
from sesamo_jax.core.method import Method
from sesamo_jax.flows import FlowConfig
from sesamo_jax.modulation import LAWS
from sesamo_jax.objectives import OBJECTIVES
from sesamo_jax.reference.methods import HMC, SMC
from sesamo_jax.reference.settings import HMCConfig, SMCConfig
from sesamo_jax.samplers.canonicalized_flow import CANONICALIZATION
from sesamo_jax.samplers.conditionals.sites import SITES
from sesamo_jax.samplers.flow import FLOW
from sesamo_jax.samplers.mixture import VMONF, VMoNFConfig
from sesamo_jax.samplers.sesamo import SESAMO
from sesamo_jax.samplers.weighting import DENSITIES
from sesamo_jax.samplers.worldlines.method import WORLDLINES
from sesamo_jax.samplers.worldlines.settings import WorldlinesConfig
from sesamo_jax.targets import TargetConfig

# A new method: one file that ends in its `Method`, and here its row, and its section if
# it has one.
METHODS: dict[str, Method] = {
    "sesamo": SESAMO,
    "canonicalization": CANONICALIZATION,
    "flow": FLOW,
    "vmonf": VMONF,
    "worldlines": WORLDLINES,
    "hmc": HMC,
    "smc": SMC,
}
FORMER_NAMES = {"realnvp": "flow"}  # of methods, still understood
GRADIENTS = ("path", "total")
SCHEDULES = ("cosine", "plateau")
CHAINS = "chains"  # as `training.data`
TRAINING_DENSITIES = ("cell", "orbit", "augmented", "marginal")


@dataclass(frozen=True)
class PenaltyConfig:
    """Lambda of eq. 11; the defaults pull over distances as far as modes are apart.

    Attributes:
        amplitude: A, in units of the action; 0, with a `final` of 0, for no penalty.
        sharpness: B, per unit of x.
        final: amplitude that A has fallen to, linearly, half way through training; kept
            high to the end, the penalty dents the density along the cell's border.
    """

    amplitude: float = bounded(100.0, least=0)
    sharpness: float = bounded(0.2, least=0)
    final: float = bounded(20.0, least=0)


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
        objective: one of `OBJECTIVES`; None takes `maximum_likelihood` where there are
            `data`, `rao_blackwell` for a learned law, `reinforce` where its group is
            not listed, `forward_kl` for worldlines, `rao_blackwell` for a mixture of
            flows, and else `reverse_kl`.
            `maximum_likelihood` trains on `data`, and so does `flow_matching`, the
            regression of a flow's velocity, for at most five particles in the plane.
        gamma: weight of log Z-hat in `self_reparam`.
        gradient: `path` (log q at fixed flow parameters, through x only) or `total`;
            None takes `path` where it is known and unbiased: except for
            canonicalization, the objective `self_reparam` and `augmented` densities.
        density: accounting of the training weights, `cell` (with penalty) or `orbit`;
            for a mixture of flows `augmented` or `marginal`. None takes the first,
            but for the objectives on `data` the exact one.
        chunk: steps per compiled call, between two lines of the history.
        stop_at_ess: training ends early with the first line of the history that shows
            this ESS, or a larger one, for every seed; None trains all steps.
        stop_at_plateau: it ends early, too, where so many lines in a row show no seed
            a better ESS than it has had; None trains all steps. Both need samples of
            the model in training. A `cosine` schedule falls to zero at `steps` all the
            same: what ends before has not had its small rates.
        warm_start: folder of a trained run whose parameters to start from, on this or a
            smaller lattice; None starts afresh.
        data: for `maximum_likelihood` and `flow_matching`, path of a .npy file of
            configurations, (n, *event_shape), or of positions of particles, (n, N, D);
            or `chains`, as many Markov chains of the target as a batch is large, each
            of which goes on by one trajectory in every step, as `hmc` says: its
            leapfrog_steps, warmup, acceptance and modulation.
        likelihood_share: lambda of `maximum_likelihood`, whose loss is lambda NLL +
            (1 - lambda) reverse KL, at the end of training; of `flow_matching` with its
            mean squared error in place of the NLL. It starts at 1 and changes linearly;
            at 1, throughout, the model draws no samples in training.
        augment: permute, rotate and reflect the particles of every configuration drawn
            from the data, each at random.
    """

    steps: int = size(2000)
    batch_size: int = size(1000)
    learning_rate: float = positive(1e-2)
    schedule: str = choice("cosine", SCHEDULES)
    patience: int = size(2000)
    decay: float = fraction(0.92)
    minimum_learning_rate: float = bounded(1e-6, least=0)
    clip_norm: float = bounded(1.0, least=0)
    objective: str | None = choice(None, OBJECTIVES)
    gamma: float = bounded(0.5)
    gradient: str | None = choice(None, GRADIENTS)
    density: str | None = choice(None, TRAINING_DENSITIES)
    chunk: int = size(50)
    stop_at_ess: float | None = fraction(None)
    stop_at_plateau: int | None = size(None)
    warm_start: str | None = None
    data: str | None = None
    likelihood_share: float = bounded(1.0, least=0, most=1)
    augment: bool = False


@dataclass(frozen=True)
class EvaluationConfig:
    """How to judge a trained model.

    Attributes:
        samples: drawn per seed.
        batch_size: evaluated at a time; bounds the memory.
        keep: samples per seed written to the run folder.
        tolerance: of the adaptive integrator against which the integration error of a
            continuous flow is measured; relative and absolute, per component and step.
        largest_error: reports are refused where the integration error of log q, root
            mean square over samples, is larger.
        data: path of a file like `training.data`, of configurations that were not
            trained on: reports give their negative log likelihood, and the forward ESS
            where the target has no exact samples. Errors take them as independent.
        audit: compare the model with samples of the target that are not its own, exact
            ones or those of modulated chains, and give a verdict. Chains cost at most
            600 short trajectories of each of 16, and no more than a fifth of the
            evaluations of f that training takes, or 60 of them.
    """

    samples: int = size(100_000)
    batch_size: int = size(10_000)
    keep: int = size(10_000, least=0)
    tolerance: float = positive(1e-6)
    largest_error: float = positive(0.01)
    data: str | None = None
    audit: bool = True


@dataclass(frozen=True)
class Config:
    """Everything about a sampler except its target.

    Attributes:
        method: one of `METHODS`.
        modulation: `heat_bath`, `exact`, `learned`, `autoregressive` or `cosets`; used
            by `sesamo`.
        density: accounting of the report, `orbit`, `strict` or `cell`; None takes
            `orbit`, for a continuous group `cell`, which is exact on its slice, and
            `strict` for an autoregressive law. Worldlines have only `augmented`, that
            of a sample together with what it was drawn around. A mixture of flows has
            `marginal`, which it takes, and `augmented`.
        sites: of a lattice that the flow covers, `all` or `even`; used by `sesamo` and
            `flow`. The odd ones are then drawn from their exact conditional, given
            which they weigh nothing. None takes the even ones where the target has
            couplings of nearest neighbours and even extents, and the flow knows them.
        flow: sizes of the flow; None takes RealNVP, for events of one component a
            spline.
        base: its base density.
        worldlines: instead of both, for the method of that name.
        vmonf: how many flows are mixed, for the method of that name.
        penalty: keeps the flow in the cell.
        training: optimisation.
        evaluation: report.
        hmc: Markov chains, for the method of that name.
        smc: sequential Monte Carlo, likewise.
    """

    method: str = choice("sesamo", METHODS)
    modulation: str = choice("heat_bath", LAWS)
    density: str | None = choice(None, DENSITIES)
    sites: str | None = choice(None, SITES)
    flow: FlowConfig | None = None
    base: BaseConfig = field(default_factory=BaseConfig)
    worldlines: WorldlinesConfig = field(default_factory=WorldlinesConfig)
    vmonf: VMoNFConfig = field(default_factory=VMoNFConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    hmc: HMCConfig = field(default_factory=HMCConfig)
    smc: SMCConfig = field(default_factory=SMCConfig)

    def __post_init__(self) -> None:
        known = FORMER_NAMES.get(self.method, self.method)
        object.__setattr__(self, "method", known)


SCALARS = ("method", "modulation", "density", "sites")
SECTIONS = tuple(item.name for item in fields(Config) if item.name not in SCALARS)


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
