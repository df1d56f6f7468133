"""Whether work fits into memory, asked before it is done."""

import os
from collections.abc import Callable
from math import inf, prod
from pathlib import Path, PurePosixPath

import jax

GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def check_memory(compiled: jax.stages.Compiled, work: str, remedy: str) -> None:
    """Raise ValueError if a program needs more memory than its device has.

    What XLA plans is a lower bound: scratch space of FFT and LAPACK comes on top.

    Args:
        compiled: the program.
        work: what it does, as the sentence's subject.
        remedy: what makes it smaller.
    """
    plan = compiled.memory_analysis()
    if plan is None:  # not every backend knows
        return
    needed = (
        plan.argument_size_in_bytes
        + plan.output_size_in_bytes
        + plan.temp_size_in_bytes
        - plan.alias_size_in_bytes
    )
    require_memory(needed, device_memory_bytes(), work, remedy)


def require_memory(needed: int, available: int, work: str, remedy: str) -> None:
    """Raise ValueError if work needs more bytes than there are.

    Args:
        needed: by the work.
        available: in all.
        work: what needs them, as the sentence's subject.
        remedy: what makes it smaller.
    """
    if needed > available:
        raise ValueError(
            f"{work} needs {needed / 2**30:.1f} GiB of memory, more than the "
            f"{available / 2**30:.1f} GiB there are: {remedy}"
        )


def check_parameters(init: Callable) -> None:
    """Raise ValueError if a model's parameters need more memory than there is.

    Three times, as its optimiser keeps two moments of each.

    Args:
        init: `key -> params`; nothing of it is run.
    """
    leaves = jax.tree.leaves(jax.eval_shape(init, jax.random.key(0)))
    count = sum(prod(leaf.shape) for leaf in leaves)
    bytes_each = max((leaf.dtype.itemsize for leaf in leaves), default=0)
    require_memory(
        3 * count * bytes_each,
        device_memory_bytes(),
        f"training {count} parameters",
        "choose a smaller flow",
    )


def device_memory_bytes() -> int:
    """Return the memory of the first device; a CPU's is that of the host."""
    known = jax.local_devices()[0].memory_stats() or {}
    return known.get("bytes_limit", host_memory_bytes())


def host_memory_bytes() -> int:
    """Return the memory of the machine, or of the container on it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min(machine, group_limit_bytes(OWN_GROUPS, GROUPS)))


def group_limit_bytes(own: Path, groups: Path) -> float:
    """Return the smallest memory limit of this process's control groups, or inf.

    Those of containers and of a cluster's jobs, in Linux's versions 1 and 2.

    Args:
        own: file that names them, `id:controllers:path` a line; version 2 names no
            controllers.
        groups: folder where they are mounted.
    """
    limit = inf
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounted, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            mounted, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path).relative_to("/")
        for folder in (group, *group.parents):  # a group has the limits of all above
            known = mounted / folder / name
            text = known.read_text().strip() if known.exists() else "max"
            limit = min(limit, int(text) if text.isdecimal() else inf)
    return limit
