"""Whether a flow is one: its inverse, and its Jacobian."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.checks.points import (
    LARGEST_JACOBIAN,
    apart,
    first,
    random_points,
    show,
)
from sesamo_jax.core import Array, Target
from sesamo_jax.flows import FlowConfig, IntegratedConfig, SliceConfig
from sesamo_jax.geometry.slices import shape_before_symmetry

SPREAD = 0.1  # of random parameters: at the start many flows are the identity
INTEGRATION = 1e-2  # what an integration in steps may be off, the inverse of another


def check_flow(flow: FlowConfig, target: Target) -> None:
    """Raise ValueError unless a flow is what `core.Bijection` says.

    With random parameters and at a few points z, in units of one: the inverse leads
    back to z, with the opposite log determinant, and that is the one of autodiff for
    events of at most `LARGEST_JACOBIAN` components; on a slice, only the former two.

    Args:
        flow: sizes of the flow, with `build`.
        target: of whose events it is a flow.

    Raises:
        ValueError: one sentence, with the point.
    """
    shape, dtype = shape_before_symmetry(target), target.dtype
    integrated = isinstance(flow, IntegratedConfig)
    built = flow.finer() if isinstance(flow, IntegratedConfig) else flow
    module: Any = built.build(shape, dtype)
    z = random_points(target, shape) / target.prior_variance**0.5
    if isinstance(flow, SliceConfig):
        assert target.symmetry is not None
        z = jax.vmap(target.symmetry.undo)(jax.vmap(target.symmetry.sector)(z), z)
    params = _random_params(module, z[0])

    def forward(z: Array) -> tuple[Array, Array]:
        return module.apply(params, z, method="forward_and_log_det")

    @jax.jit
    def there_and_back(z: Array) -> tuple[Array, Array, Array, Array]:
        y, log_det = jax.vmap(forward)(z)
        back, log_det_back = jax.vmap(
            lambda y: module.apply(params, y, method="inverse_and_log_det")
        )(y)
        return y, log_det, back, log_det_back

    _, log_det, back, log_det_back = jax.device_get(there_and_back(z))
    slack = INTEGRATION if integrated else 0.0
    flat = np.asarray(z).reshape(len(z), -1)
    name = type(flow).__name__

    def fail(wrong: np.ndarray, what: str) -> None:
        at = first(wrong)
        if at is not None:
            raise ValueError(f"flow {name}: {what}, at z = {show(flat[at])}")

    wrong = apart(back.reshape(flat.shape), flat, slack)
    fail(wrong, "the inverse does not invert, it does not lead back to z")
    wrong = apart(log_det_back[:, None], -log_det[:, None], slack)
    fail(wrong, "the log determinant of the inverse is not the opposite")
    if flat.shape[1] > LARGEST_JACOBIAN or isinstance(flow, SliceConfig):
        return
    jacobians = jax.jit(jax.vmap(jax.jacfwd(lambda z: forward(z)[0])))(z)
    square = np.asarray(jacobians).reshape(-1, flat.shape[1], flat.shape[1])
    expected = np.linalg.slogdet(square)[1]
    wrong = apart(log_det[:, None], expected[:, None], slack)
    fail(wrong, "the log determinant is not that of its Jacobian")


def _random_params(module: Any, z: Array) -> Any:
    """Return parameters near those of the start, where flows may be the identity."""
    params = module.init(jax.random.key(0), z, method="forward_and_log_det")
    rng = np.random.default_rng(0)

    def shake(leaf: Array) -> Array:
        return leaf + jnp.asarray(SPREAD * rng.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map(shake, params)
