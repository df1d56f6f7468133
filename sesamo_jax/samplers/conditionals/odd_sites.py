"""The odd sites of a field given the even ones, for an action of nearest neighbours."""

from dataclasses import dataclass
from math import hypot

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.core import Array, Key, Target
from sesamo_jax.geometry.neighbours import NearestNeighbours
from sesamo_jax.geometry.sublattice import EvenSites
from sesamo_jax.samplers.conditionals.site import SiteConditional, site_conditional

TRIED = 8  # random fields on which a claim is tried
TOLERANCE = 1e-4  # of the action's terms there, more than rounding makes in float32


@dataclass(frozen=True)
class OddSites:
    """p(odd sites | even sites), a product over the odd sites.

    Given its neighbours a site has the density exp(-V(x) + h . x) / zeta(h) with
    h = c sum_neighbours x_k + b.

    Attributes:
        action: c, V and b.
        sites: the even ones.
        conditional: the law of one site.
    """

    action: NearestNeighbours
    sites: EvenSites
    conditional: SiteConditional

    def _fields(self, even: Array) -> Array:
        """Return h of the odd sites, (sites, N)."""
        sums = self.action.coupling * self.sites.neighbour_sums(even)
        b = jnp.asarray(self.action.field, even.dtype)
        return sums.reshape(-1, b.size) + b

    def action_of_even(self, even: Array) -> Array:
        """Return -log of the integral of exp(-f) over the odd sites."""
        b = jnp.asarray(self.action.field, even.dtype)
        own = jnp.sum(self.action.potential(even))
        linear = jnp.sum(even.reshape(-1, b.size) * b)
        squares = jnp.sum(self._fields(even) ** 2, axis=-1)
        return own - linear - jnp.sum(self.conditional.log_zeta(squares))

    def draw(self, key: Key, even: Array) -> tuple[Array, Array]:
        """Return the whole field and the log density of its odd sites."""
        h = self._fields(even)
        odd = jax.vmap(self.conditional.draw)(jax.random.split(key, len(h)), h)
        log_p = jnp.sum(jax.vmap(self.conditional.log_prob)(odd, h))
        return self.sites.merge(even, odd.reshape(even.shape)), log_p

    def log_prob(self, x: Array) -> Array:
        """Return the log density of the odd sites of a field given its even ones."""
        even, odd = self.sites.split(x)
        h = self._fields(even)
        return jnp.sum(jax.vmap(self.conditional.log_prob)(odd.reshape(h.shape), h))


def odd_sites(target: Target) -> OddSites:
    """Return the law of a target's odd sites.

    Args:
        target: of the geometry `NearestNeighbours`, with even extents.

    Raises:
        ValueError: if its action is not what its geometry says, by random fields, or
            has no lower bound.
    """
    action = target.geometry
    assert isinstance(action, NearestNeighbours)
    components = len(action.field)
    _check_claim(target, action)

    def potential(r: np.ndarray) -> np.ndarray:
        if target.event_shape == action.extents:
            return action.potential(r)
        x = np.zeros((*np.shape(r), components))
        x[..., 0] = r
        return action.potential(x)

    conditional = site_conditional(
        potential,
        components,
        bonds=2 * len(action.extents) * abs(action.coupling),
        field=hypot(*action.field),
        dtype=target.dtype,
    )
    return OddSites(action, EvenSites(action.extents), conditional)


def _check_claim(target: Target, action: NearestNeighbours) -> None:
    """Raise ValueError unless a target's action is that of its geometry.

    Tried on white noise of several sizes, turned at random at every site for the
    potential, which has to depend on |x| alone.
    """
    components = len(action.field)
    fits = (*action.extents, components) == target.event_shape
    if not fits and (components > 1 or action.extents != target.event_shape):
        raise ValueError(
            f"target {target.name!r} declares a field {action.field} of {components} "
            f"component(s) on a lattice {action.extents}, and has events of shape "
            f"{target.event_shape}"
        )
    rng = np.random.default_rng(0)
    sizes = np.geomspace(0.3, 3, TRIED) * target.prior_variance**0.5
    noise = rng.normal(size=(TRIED, *action.extents, components))
    other = rng.normal(size=noise.shape)
    length, other_length = (
        np.linalg.norm(values, axis=-1, keepdims=True) for values in (noise, other)
    )
    shape = (TRIED, *target.event_shape)
    scale = sizes.reshape(-1, *(1,) * len(target.event_shape))
    x, turned = (
        jnp.asarray(values.reshape(shape) * scale, target.dtype)
        for values in (noise, other * length / other_length)
    )
    found, claimed = jax.vmap(target.action)(x), jax.vmap(action.action)(x)
    own, of_turned = jax.vmap(action.potential)(x), jax.vmap(action.potential)(turned)
    terms = jnp.sum(jnp.abs(own).reshape(TRIED, -1), axis=1) + jnp.abs(found)
    if not bool(jnp.all(jnp.abs(found - claimed) <= TOLERANCE * terms)):
        raise ValueError(
            f"the action of target {target.name!r} is not that of the nearest "
            "neighbours which its geometry declares: they differ on random fields; "
            "declare all of its terms, or a geometry Lattice"
        )
    if not bool(jnp.allclose(own, of_turned, rtol=TOLERANCE, atol=TOLERANCE)):
        raise ValueError(
            f"the potential of target {target.name!r} depends on more than |x| of a "
            "site: put terms linear in x into the field of its geometry, or declare a "
            "geometry Lattice"
        )
