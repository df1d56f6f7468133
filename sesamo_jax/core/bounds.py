"""The range of a configuration's fields, declared beside them, and their check."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from math import inf, isfinite
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

# Beyond it, products of a few numbers leave float32, which ends at 3e38, and sums of
# terms of order one no longer show in it: it has seven digits.
LARGEST = 1e6
# Below it, one over the square leaves float32 beside other numbers of that size.
SMALLEST = 1e-12
ALMOST_ONE = 1 - 1e-6
LARGEST_SIZE = 2**31 - 1  # JAX counts in int32
MOST_SHOWN = 100  # characters of a wrong value


@dataclass(frozen=True)
class Bounds:
    """What a number may be, ends included.

    Attributes:
        least: the smallest value.
        most: the largest.
        why: what stands behind the smallest, the end of a sentence that refuses less.
    """

    least: float = -inf
    most: float = inf
    why: str = ""

    def complaint(self, value: float, where: str = "") -> str | None:
        """Return what a number must be, where it is not."""
        if not isfinite(value):
            wanted = "finite"
        elif not self.least <= value <= self.most and self.most == ALMOST_ONE:
            wanted = "between 0 and 1"
        elif value <= 0 and self.least == SMALLEST:
            wanted = "positive"
        elif value < self.least:
            wanted = f"at least {self.least:g}"
        elif value > self.most:
            wanted = f"at most {self.most:.10g}"
        else:
            return None
        reason = f": {self.why}" if self.why and value < self.least else ""
        return f"must be {wanted}{where}{reason}"


def bounded(
    default: Any, least: float = -LARGEST, most: float = LARGEST, why: str = ""
) -> Any:
    """Return a dataclass field of a number, or of a tuple of them, with its range."""
    return field(default=default, metadata={"bounds": Bounds(least, most, why)})


def positive(default: float | None, most: float = LARGEST, why: str = "") -> Any:
    """Return the field of a positive real number."""
    return bounded(default, SMALLEST, most, why)


def size(default: Any, least: int = 1, most: int = LARGEST_SIZE, why: str = "") -> Any:
    """Return the field of a number of things."""
    return bounded(default, least, most, why)


def fraction(default: float | None) -> Any:
    """Return the field of a share, neither nothing nor everything."""
    return bounded(default, SMALLEST, ALMOST_ONE)


def choice(default: str | None, known: Collection[str]) -> Any:
    """Return the field of a name, one of those known."""
    return field(default=default, metadata={"known": known})


def check_fields(section: Any, name: str = "") -> None:
    """Raise ValueError for a field that is not of its type or not in its range.

    Numbers without declared bounds must be finite. Dataclasses in fields are checked
    likewise.

    Args:
        section: a dataclass of a configuration.
        name: what its fields' names begin with, as in `training.steps`.
    """
    hints = field_types(type(section))  # type: ignore[arg-type]
    for item in fields(section):
        value, kind = getattr(section, item.name), hints[item.name]
        full = f"{name}.{item.name}" if name else item.name
        if _is_section(value, kind):
            check_fields(value, full)
        elif complaint := _complaint(value, kind, item.metadata, item.default):
            if "known" in item.metadata and isinstance(value, str):
                raise ValueError(f"unknown {full} {value!r}; {complaint}")
            raise ValueError(f"{full}={_shown(value)} {complaint}")


@cache
def field_types(section: Hashable) -> dict[str, Any]:
    """Return the types of a dataclass's fields, by name."""
    return get_type_hints(section)


def _is_section(value: Any, kind: Any) -> bool:
    if not is_dataclass(value) or not is_dataclass(kind):
        return is_dataclass(value)  # a flow's type is a protocol
    return isinstance(value, kind)  # type: ignore[arg-type]


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Real) else repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _complaint(value: Any, kind: Any, metadata: Any, default: Any) -> str | None:
    """Return what a value must be, where it is not."""
    options = get_args(kind) or (kind,)
    bounds = metadata.get("bounds", Bounds())
    if get_origin(kind) is tuple:
        return _of_tuple(value, options[0], bounds, may_be_empty=default == ())
    if value is None and NoneType in options:
        return None
    wanted = next(option for option in options if option is not NoneType)
    if wanted is bool:
        return None if isinstance(value, bool) else "must be True or False"
    if wanted is str:
        known = metadata.get("known")
        if not (isinstance(value, str) and value):
            return "must be text"
        return f"known: {', '.join(known)}" if known and value not in known else None
    if wanted not in (int, float):
        known = not is_dataclass(wanted)
        return None if known else f"must be a {wanted.__name__}"
    return _of_number(value, wanted, bounds)


def _of_number(value: Any, kind: type, bounds: Bounds, where: str = "") -> str | None:
    abstract = Integral if kind is int else Real
    if isinstance(value, bool) or not isinstance(value, abstract):
        return f"must be {'an integer' if kind is int else 'a number'}{where}"
    try:
        return bounds.complaint(float(value), where)
    except OverflowError:  # of an integer
        return f"must be of a size that floating point holds{where}"


def _of_tuple(value: Any, kind: Any, bounds: Bounds, may_be_empty: bool) -> str | None:
    pairs = get_origin(kind) is tuple
    form = "pairs of integers such as ((0, 1), (1, 2))" if pairs else "such as (8, 8)"
    if not isinstance(value, tuple) or not (value or may_be_empty):
        return f"must be a tuple of {form}" if pairs else f"must be a tuple {form}"
    for entry in value:
        if pairs and (not isinstance(entry, tuple) or len(entry) != 2):
            return f"must be a tuple of {form}"
        for number in entry if pairs else (entry,):
            if complaint := _of_number(number, int, bounds, " in every entry"):
                return complaint
    return None
