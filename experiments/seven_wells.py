"""Seven wells that no symmetry connects, sampled by maps onto each of them."""

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax import Config, Target, TrainingConfig, build_model, evaluate, fit
from sesamo_jax.reference.quadrature import quadrature
from sesamo_jax.symmetries import find_wells

CENTRES = np.array([[0, 0], [6, 1], [-5, 3], [1, -6], [-5, -4], [5, 7], [-1, 8]])
DEPTHS = np.array([0.0, 1.2, 0.7, 0.2, 1.6, 0.5, 1.0])
ANGLES = np.array([0.3, 2.1, 1.2, 2.8, 0.9, 1.7, 0.1])
LONG = np.array([0.8, 2.0, 1.0, 0.7, 1.5, 1.2, 2.4])  # curvatures along and across
WIDE = np.array([3.0, 2.5, 5.0, 1.2, 4.0, 2.0, 6.0])
BENDS = np.array([0.15, -0.1, 0.2, -0.2, 0.0, 0.1, -0.15])


def action(x):
    """Bent, anharmonic wells of different depths, widths and directions."""
    away = x - jnp.asarray(CENTRES, x.dtype)
    cos, sin = (
        jnp.asarray(np.cos(ANGLES), x.dtype),
        jnp.asarray(np.sin(ANGLES), x.dtype),
    )
    along = cos * away[:, 0] + sin * away[:, 1]
    across = cos * away[:, 1] - sin * away[:, 0] - BENDS.astype(x.dtype) * along**2
    wells = LONG * along**2 / 2 + WIDE * across**2 / 2 + 0.02 * along**4 + DEPTHS
    return -jax.nn.logsumexp(-wells.astype(x.dtype))


starts = np.random.default_rng(0).normal(0, 5, (200, 2))
wells = find_wells(action, starts)
target = Target("seven wells", (2,), action, symmetry=wells, prior_variance=25.0)
config = Config(training=TrainingConfig(steps=600, batch_size=256))
model = build_model(target, config)
result = fit(model, target, config)

exact = quadrature(target, half_width=16.0, panels=80)
params = jax.tree.map(lambda leaf: leaf[0], result.params)
report = evaluate(model, target, config, params, jax.random.key(100))
print(
    f"{wells.order} wells: ESS {report['ess']:.4f}, log Z {report['log_z']:.4f} "
    f"(exact {exact.log_z:.4f}), shares {np.round(report['sectors_reweighted'], 4)} "
    f"(exact {np.round(exact.sectors, 4)}), {report['verdict']}"
)
