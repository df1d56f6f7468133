"""A target of your own: three wells of unequal mass, sampled without bias."""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import Config, Target, TrainingConfig, build_model, evaluate, fit
from sesamo_jax.reference.quadrature import quadrature
from sesamo_jax.symmetries import Cyclic


def action(x):
    """A triangle of wells, tilted so that Z3 is broken."""
    radius2 = jnp.sum(x**2)
    threefold = x[0] ** 3 - 3 * x[0] * x[1] ** 2  # r^3 cos(3 angle)
    return radius2**2 / 16 - threefold / 4 + 0.15 * x[0] - 0.25 * x[1]


target = Target("wells", (2,), action, symmetry=Cyclic(3, broken=True))
# heat_bath modulation and the exact orbit density are the defaults. The wells overlap,
# so training counts the overlap too, instead of keeping the flow inside one cell.
config = Config(training=TrainingConfig(density="orbit"))
model = build_model(target, config)
result = fit(model, target, config, seeds=2)

exact = quadrature(target, half_width=8.0)
for seed in range(2):
    params = jax.tree.map(lambda leaf, i=seed: leaf[i], result.params)
    report = evaluate(model, target, config, params, jax.random.key(100 + seed))
    print(
        f"seed {seed}: ESS {report['ess']:.4f}, leak {report['leak']:.4f}, "
        f"log Z {report['log_z']:.4f} (exact {exact.log_z:.4f}), "
        f"sectors {np.round(report['sectors_reweighted'], 4)} "
        f"(exact {np.round(exact.sectors, 4)})"
    )
