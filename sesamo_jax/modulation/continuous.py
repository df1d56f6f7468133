"""What laws over the elements of a continuous group share."""

import flax.linen as nn
import jax

from sesamo_jax.core import Array, ContinuousSymmetry, Key


class ContinuousLaw(nn.Module):
    """A density over elements; subclasses give it, and a sampler of that density.

    Elements are drawn without gradients. Those of `log_prob`, at a fixed element, are
    what the objectives need: the heat baths' weight does not depend on the element, and
    a learned law is trained by `reinforce`.

    Attributes:
        symmetry: the group.
    """

    symmetry: ContinuousSymmetry

    @property
    def evaluations(self) -> int:
        """Number of evaluations of f that the density at an element takes."""
        return 0

    def log_prob(self, element: Array, y: Array) -> Array:
        """Return log p_S(element | y)."""
        raise NotImplementedError

    def draw(self, key: Key, y: Array) -> Array:
        """Return an element drawn given y, without gradients."""
        raise NotImplementedError

    def __call__(self, key: Key, y: Array) -> tuple[Array, Array]:
        """Draw an element given y and return it with log p_S(element | y)."""
        element = jax.lax.stop_gradient(self.draw(key, y))
        return element, self.log_prob(element, y)
