"""How often error bars cover the exact value, beside how often they should."""

from collections.abc import Sequence
from math import erf, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sesamo_jax.run.selftest.pulls import Pull

ONE, TWO = erf(1 / sqrt(2)), erf(2 / sqrt(2))  # what one and two sigma hold
LARGEST_LACK = 3.0  # standard deviations of a coverage below its nominal rate


class Coverage(NamedTuple):
    """What pulls of one kind of estimate say of its errors.

    Attributes:
        quantity: the kind.
        pulls: their number.
        marked: how many more estimates had no error to trust, and said so.
        mean: of the pulls, 0 without bias.
        std: of the pulls, 1 for errors that are right, less for errors too large.
        one: share of pulls within one sigma.
        two: within two.
    """

    quantity: str
    pulls: int
    marked: int
    mean: float
    std: float
    one: float
    two: float

    @property
    def holds(self) -> bool:
        """Whether errors are not too small, as far as so many pulls can tell."""
        if self.pulls == 0:
            return True
        return all(
            found > nominal - LARGEST_LACK * sqrt(nominal * (1 - nominal) / self.pulls)
            for found, nominal in ((self.one, ONE), (self.two, TWO))
        )


def coverages(pulls: Sequence[Pull]) -> list[Coverage]:
    """Return the coverage of each kind of estimate."""
    found = []
    for quantity in dict.fromkeys(pull.quantity for pull in pulls):
        own = [pull.value for pull in pulls if pull.quantity == quantity]
        values = np.array([value for value in own if value is not None])
        size = np.abs(values)
        found.append(
            Coverage(
                quantity,
                len(values),
                len(own) - len(values),
                float(values.mean()) if len(values) else np.nan,
                float(values.std(ddof=1)) if len(values) > 1 else np.nan,
                float(np.mean(size < 1)) if len(values) else np.nan,
                float(np.mean(size < 2)) if len(values) else np.nan,
            )
        )
    return found


def table(found: Sequence[Coverage]) -> str:
    """Return the coverages as lines of text, the last of which says what they mean."""
    head = f"{'estimate':<28}{'pulls':>7}{'marked':>8}{'mean':>8}{'std':>7}"
    lines = [head + f"{'1 sigma':>9}{'2 sigma':>9}"]
    for row in found:
        numbers = f"{row.mean:>8.2f}{row.std:>7.2f}{row.one:>9.3f}{row.two:>9.3f}"
        if row.pulls == 0:
            numbers = f"{'-':>8}{'-':>7}{'-':>9}{'-':>9}"
        wrong = "" if row.holds else "  errors too small"
        lines.append(f"{row.quantity:<28}{row.pulls:>7}{row.marked:>8}{numbers}{wrong}")
    lines.append(
        f"{'nominal':<28}{'':>7}{'':>8}{0:>8.2f}{1:>7.2f}{ONE:>9.3f}{TWO:>9.3f}"
    )
    verdict = "all errors cover at their nominal rate or more often"
    if small := [row.quantity for row in found if not row.holds]:
        verdict = f"too small are the errors of {', '.join(small)}"
    return "\n".join([*lines, "", verdict])


def coverage_figure(pulls: Sequence[Pull]) -> Figure:
    """Return the share of pulls within the interval of a probability, by kind."""
    figure = Figure(figsize=(5.2, 4.8), layout="constrained")
    axes = figure.subplots()
    nominal = np.linspace(0, 1, 201)
    axes.plot(nominal, nominal, color="black", linewidth=1, label="as they should")
    for quantity in dict.fromkeys(pull.quantity for pull in pulls):
        size = np.array(
            [
                erf(abs(pull.value) / sqrt(2))
                for pull in pulls
                if pull.quantity == quantity and pull.value is not None
            ]
        )
        if len(size):
            shares = np.mean(size[:, None] <= nominal, axis=0)
            axes.plot(nominal, shares, linewidth=1.3, label=f"{quantity} ({len(size)})")
    axes.set_xlabel("probability of the interval")
    axes.set_ylabel("share of estimates that it covers")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.legend(fontsize=8, frameon=False)
    return figure
