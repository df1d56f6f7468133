"""Tables of what our own code costs, and of lattice samplers side by side."""

from typing import Any

from benchmarks.growth import SERIES, exponent
from benchmarks.machine import Spread, short, spread
from sesamo_jax.run.pages import markdown
from sesamo_jax.run.text import value_error

# Samples are asked for after so many seconds, set-up and training included.
AFTER = (60, 600)
METHODS = {
    "flow": "our flow",
    "bijx": "bijx flow",
    "hmc": "HMC",
    "smc": "SMC",
}


def peaks(part: dict[str, Any]) -> str:
    """Return the share of both peaks that a step reaches."""
    rows = []
    for name, found in part["steps"].items():
        step = found["step"]
        flops, moved = (step[unit] / step["seconds"] for unit in ("flops", "bytes"))
        rows.append(
            [
                name,
                found["dtype"],
                str(found["batch_size"]),
                short(1e3 * step["seconds"]),
                f"{short(1e-9 * flops)} of {short(1e-9 * found['peak_flops'])}, "
                f"{flops / found['peak_flops']:.0%}",
                f"{short(1e-9 * moved)} of {short(1e-9 * found['peak_bytes'])}, "
                f"{moved / found['peak_bytes']:.0%}",
            ]
        )
    head = ["step", "type", "batch", "ms", "Gflop/s, share", "GB/s, share"]
    return markdown(head, rows)


def growth(part: dict[str, Any]) -> str:
    """Return milliseconds a step by size, and the power with which they grow."""
    rows = []
    for name, entries in part["series"].items():
        sizes = [entry["size"] for entry in entries]
        medians = [spread(entry["seconds"]).median for entry in entries]
        for entry in entries:
            last = entry is entries[-1]
            milliseconds = Spread(*(1e3 * value for value in spread(entry["seconds"])))
            rows.append(
                [
                    f"`{SERIES[name].target}`, {name}",
                    f"{SERIES[name].size} = {entry['size']}",
                    milliseconds.text(),
                    f"{entry['compile_seconds']:.1f}",
                    f"{exponent(sizes, medians):.2f}" if last else "",
                ]
            )
    head = ["series", "size", "ms a step", "compilation, s", "power at the end"]
    return markdown(head, rows)


def lattice(part: dict[str, Any]) -> str:
    """Return effective samples of |M| a second, and after some time all told."""
    rows = []
    for name, label in METHODS.items():
        found = part["methods"][name]
        rate = found["effective"] / found["sample_seconds"]
        before = found["setup_seconds"] + found["train_seconds"]
        after = [short(max(0.0, seconds - before) * rate) for seconds in AFTER]
        ess, log_z = found.get("ess"), found.get("log_z")
        rows.append(
            [
                label,
                f"{ess:.4f}" if ess is not None else "-",
                value_error(log_z, found.get("log_z_error")),
                value_error(found["modulus"], found["modulus_error"]),
                short(rate),
                f"{found['train_seconds']:.1f}",
                f"{found['setup_seconds']:.1f}",
                *after,
            ]
        )
    head = ["method", "ESS", "log Z", "abs. M", "effective samples a second"]
    head += ["training, s", "set-up, s", *(f"after {s} s" for s in AFTER)]
    return markdown(head, rows)
