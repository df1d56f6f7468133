"""div v of any field v(y, t) by automatic differentiation: exactly, and by a probe.

Both turn a field into what `integrate` takes. The third way of Koehler, Klein, Noe
2020, in closed form, is the kernel flow's own, `KernelFlow.velocity`. On coordinates y
without the centre of mass the divergence is that on this space.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from sesamo_jax.core import Array
from sesamo_jax.flows.continuous.integrate import Velocity

Field = Callable[[Array, Array], Array]
"""(t, y) -> v, of the shape of y."""


def brute_force(field: Field) -> Velocity:
    """Return the field with its divergence, the trace of the whole Jacobian.

    One forward derivative per coordinate of y: that many times the cost of the field.
    """

    def velocity(t: Array, y: Array) -> tuple[Array, Array]:
        def change(direction: Array) -> tuple[Array, Array]:
            return jax.jvp(partial(field, t), (y,), (direction,))

        # Not jax.linearize, which computes parts of a checkpointed field twice.
        basis = jnp.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        v, columns = jax.vmap(change, out_axes=(None, 0))(basis)
        return v, jnp.trace(columns.reshape(y.size, y.size))

    return velocity


def hutchinson(field: Field, probe: Array) -> Velocity:
    """Return the field with the estimate e.J e of its divergence, for one probe e.

    Its mean over probes with independent components of mean 0 and variance 1 is tr J.
    Only the symmetric part S = (J + J^T) / 2 contributes, and the variance is
    2 sum_{i != j} S_ij^2 for components +1 and -1, since e_i e_j with i < j are
    uncorrelated with variance 1, and 2 sum_ij S_ij^2 for normal ones.

    One probe serves a whole solve. New ones at every velocity would make the integrand
    discontinuous, and the integration has no order then.

    No flow has this as an option, since a log-determinant made with it is random. The
    density exp(log q) is too large in the mean (Jensen), so weights are biased; one
    probe for all events leaves an error that no average removes; and probes that depend
    on the event would differ between z and y(z), and so the two log-determinants.

    Args:
        field: v.
        probe: e, of the shape and dtype of y.
    """

    def velocity(t: Array, y: Array) -> tuple[Array, Array]:
        v, change = jax.jvp(partial(field, t), (y,), (probe,))
        return v, jnp.sum(probe * change)

    return velocity
