"""The recipes of `docs/symmetries.md` run as they stand, one after the other."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp

from sesamo_jax.checks import check_symmetry
from sesamo_jax.symmetries import Wells

PAGE = Path(__file__).parents[1] / "docs" / "symmetries.md"


def test_the_recipes_run_and_their_symmetries_are_those_of_their_targets():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert len(blocks) > 5
    names, targets = {}, []
    for block in blocks:
        exec(block, names)  # noqa: S102
        target = names.get("target")
        if target is not None and target not in targets:
            targets.append(target)
    clock, heisenberg, uneven = targets
    check_symmetry(clock.symmetry, clock)
    check_symmetry(heisenberg.symmetry, heisenberg)
    assert isinstance(uneven.symmetry, Wells)
    # The field breaks what would be exact without it.
    x = jax.random.normal(jax.random.key(0), clock.event_shape, clock.dtype)
    turned = clock.symmetry.act(jnp.asarray(1), x)[0]
    field = 0.02 * float(jnp.sum(x[..., 0] - turned[..., 0]))
    change = float(clock.action(turned) - clock.action(x))
    assert abs(change - field) < 1e-3
    assert abs(field) > 0.01
