"""Whether a symmetry is one: its maps, its cell, and its action on the target."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sesamo_jax.checks.points import (
    LARGEST_JACOBIAN,
    STEP,
    apart,
    first,
    random_points,
    show,
)
from sesamo_jax.core import Array, Symmetry, Target
from sesamo_jax.geometry.slices import shape_before_symmetry
from sesamo_jax.symmetries import Wells

RANDOM_ELEMENTS, MOST_ELEMENTS = 4, 8

# Which (elements, points) are wrong, and the sentence about them.
Fault = tuple[np.ndarray, str]


def check_symmetry(symmetry: Symmetry, target: Target) -> None:
    """Raise ValueError unless a symmetry is what `core.Symmetry` says, on a target.

    At a few points and elements: shapes, the identity, `undo` after `act`, one sector
    per orbit, the sign of the margins, distances, products of elements, and the action
    under the factors that are not `broken`. Of wells: shapes, `undo`, and the volume.

    Args:
        symmetry: the group, or wells.
        target: on whose events it acts.

    Raises:
        ValueError: one sentence, with the point.
    """
    _check_shapes(symmetry, target)
    x = random_points(target)
    if isinstance(symmetry, Wells):
        elements, points, faults = _wells_faults(symmetry, x)
    else:
        elements, points, faults = _group_faults(symmetry, target, x)
    for wrong, sentence in faults:
        at = first(wrong)
        if at is not None:
            g, point = elements[at[0]], show(points[at[1]])
            raise ValueError(
                f"{type(symmetry).__name__} on {target.name!r}: "
                f"{sentence.format(g=g)}, at {point}"
            )


def _check_shapes(symmetry: Symmetry, target: Target) -> None:
    """Raise ValueError unless the functions of a symmetry take events to events."""
    before = shape_before_symmetry(target)
    x = jax.ShapeDtypeStruct(target.event_shape, target.dtype)
    y = jax.ShapeDtypeStruct(before, target.dtype)
    name = f"{type(symmetry).__name__} on {target.name!r}"
    try:
        g = jax.eval_shape(symmetry.sector, x)
        acted = jax.eval_shape(symmetry.act, g, y)[0].shape
        undone = jax.eval_shape(symmetry.undo, g, x).shape
        jax.eval_shape(symmetry.margins, y)
    except (TypeError, IndexError, ValueError) as error:
        raise ValueError(
            f"{name} does not take an event of shape {target.event_shape}: {error}"
        ) from error
    for function, found, shape in (
        ("act", acted, target.event_shape),
        ("undo", undone, before),
    ):
        if found != shape:
            raise ValueError(
                f"{name}: {function} makes events of shape {found}, and they must be "
                f"of shape {shape}"
            )


def _group_faults(
    symmetry: Symmetry, target: Target, x: Array
) -> tuple[np.ndarray, np.ndarray, Iterator[Fault]]:
    """Return the elements looked at, points of the cell, and what may be wrong."""
    finite = symmetry.order is not None
    elements, exact = _choose_elements(symmetry, x)

    def into_cell(x: Array) -> Array:
        return symmetry.undo(symmetry.sector(x), x)

    def of_pair(g: Array, h: Array, x: Array) -> dict[str, Array]:
        y = into_cell(x)
        image, log_vol = symmetry.act(g, y)
        out = {
            "y": y,
            "image": image,
            "log_vol": log_vol,
            "back": symmetry.undo(g, image),
            "canonical": into_cell(image),
            "margins": symmetry.margins(y),
            "action": target.action(image),
            "nearby": target.action(image * (1 + STEP * jnp.finfo(image.dtype).eps)),
        }
        if finite:
            product = symmetry.act(h, image)[0]
            out["product"] = product
            out["one"] = symmetry.act(symmetry.sector(product), y)[0]
        return out

    @jax.jit
    def of_all(elements: Array, x: Array) -> dict[str, Array]:
        mapped = jax.vmap(jax.vmap(of_pair, (None, None, 0)), (0, 0, None))
        return mapped(elements, elements[::-1], x)

    found = jax.device_get(of_all(jnp.asarray(elements), x))
    f = {name: array.reshape(*array.shape[:2], -1) for name, array in found.items()}

    def faults() -> Iterator[Fault]:
        yield apart(f["back"], f["y"]), "undo after act of element {g} is not identity"
        if finite:
            first_only = (np.arange(len(elements)) == 0)[:, None]
            moved = apart(f["image"], f["y"]) & first_only
            yield moved, "element {g} must be the identity, and moves a point"
        outside = np.any(f["margins"] > 0, axis=-1)
        yield outside, "a margin is positive inside the cell, where sector is 0"
        lost = apart(f["canonical"], f["y"])
        yield lost, "sector does not find element {g}, which has acted on the cell"
        if finite:
            before, after = (
                np.linalg.norm(f[name] - np.roll(f[name], 1, axis=1), axis=-1)
                for name in ("y", "image")
            )
            changed = apart(after[..., None], before[..., None])
            yield changed, "element {g} changes distances, and must be an isometry"
            volume = np.any(f["log_vol"] != 0, axis=-1)
            yield volume, "element {g} has a log volume other than 0"
            foreign = apart(f["one"], f["product"])
            yield foreign, "element {g}, before another, makes none of the elements"
        value, nearby = f["action"], f["nearby"]
        known = np.isfinite(value[:1, :, 0])
        # What rounding of x does to f, where f is steep.
        with np.errstate(invalid="ignore"):  # beyond hard walls
            slack = np.where(known, np.abs(nearby - value)[..., 0], 0)
        broken = apart(value, value[:1], slack) & known & exact[:, None]
        yield broken, "element {g} changes the action: set broken=True"

    return elements, f["y"][0], faults()


def _choose_elements(symmetry: Symmetry, x: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return some elements, of a finite group the identity first, and which are exact.

    Exact ones move along factors alone under which the action does not change.
    """
    if symmetry.order is None:  # as `sector` finds them
        elements = np.asarray(jax.vmap(symmetry.sector)(x))
        return elements, np.full(len(elements), not symmetry.broken)
    orders = [order for order, _ in symmetry.factors]
    chosen, below = [0], symmetry.order
    for order in orders:
        below //= order
        chosen += [below * digit for digit in {1 % order, order - 1} if digit]
    rng = np.random.default_rng(1)
    chosen = chosen[: MOST_ELEMENTS - RANDOM_ELEMENTS]
    chosen += rng.integers(0, symmetry.order, RANDOM_ELEMENTS).tolist()
    elements = np.array(chosen, np.int32)
    digits = np.stack(np.unravel_index(elements, orders))
    broken = np.array([broken for _, broken in symmetry.factors])
    return elements, ~np.any(digits[broken] != 0, axis=0)


def _wells_faults(
    wells: Wells, y: Array
) -> tuple[np.ndarray, np.ndarray, Iterator[Fault]]:
    """Return all wells, the points, and what may be wrong."""
    every = np.arange(wells.order)
    small = y[0].size <= LARGEST_JACOBIAN

    def of_pair(g: Array, y: Array) -> dict[str, Array]:
        x, log_vol = wells.act(g, y)
        out = {"back": wells.undo(g, x), "log_vol": log_vol}
        if small:
            jacobian: Any = jax.jacfwd(lambda y: wells.act(g, y)[0])(y)
            out["expected"] = jnp.linalg.slogdet(jacobian.reshape(y.size, -1))[1]
        return out

    mapped = jax.jit(jax.vmap(jax.vmap(of_pair, (None, 0)), (0, None)))
    found = jax.device_get(mapped(every, y))
    f = {name: array.reshape(*array.shape[:2], -1) for name, array in found.items()}
    points = np.asarray(y).reshape(len(y), -1)

    def faults() -> Iterator[Fault]:
        yield (
            apart(f["back"], points[None]),
            "undo after act of well {g} is not identity",
        )
        if small:
            volume = apart(f["log_vol"], f["expected"])
            yield volume, "the log volume of well {g} is not that of its Jacobian"

    return every, points, faults()
