"""Whether a compiled program fits into memory, asked before it runs."""

import os

import jax


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
    available = device_memory_bytes()
    if needed > available:
        raise ValueError(
            f"{work} needs {needed / 2**30:.1f} GiB of memory, more than the "
            f"{available / 2**30:.1f} GiB there are: {remedy}"
        )


def device_memory_bytes() -> int:
    """Return the memory of the first device; a CPU's is that of the machine."""
    known = jax.local_devices()[0].memory_stats() or {}
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return known.get("bytes_limit", pages)
