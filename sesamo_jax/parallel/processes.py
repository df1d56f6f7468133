"""Several processes, on one host or more, that carry out one run together.

All do the same work on their share of the devices; the first one alone keeps files.
Whatever may fail on one of them goes through `together`, so that no other waits for
it in vain.
"""

import os
import pickle
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather

T = TypeVar("T")
RETRY_SECONDS = 0.2


class Group(NamedTuple):
    """How a process finds the others.

    Attributes:
        coordinator: HOST:PORT on which the first process listens; None lets JAX ask
            the cluster's scheduler.
        processes: how many there are; None as above.
        process: which one this is, from 0; None as above.
        wait: seconds after which a process gives up on the others.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    wait: int = 60

    @property
    def alone(self) -> bool:
        """Whether there is nothing to join: one process, or nobody asked for more."""
        if self.processes is None and self.coordinator is None and self.process is None:
            return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) == 1
        return self.processes == 1


def join(group: Group) -> None:
    """Join the other processes; before anything touches a device.

    Raises:
        ValueError: if the description is wrong or incomplete, or the others do not
            come in time.
    """
    if group.alone:
        return
    _check(group)
    if group.coordinator is not None:
        _meet(group)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            group.coordinator,
            group.processes,
            group.process,
            initialization_timeout=group.wait,
        )
    except ValueError as error:  # no scheduler that JAX knows
        raise ValueError(
            "several processes without a scheduler that JAX knows, such as Slurm, need "
            "coordinator=HOST:PORT, processes=N and process=I"
        ) from error


def _check(group: Group) -> None:
    coordinator, processes, process, wait = group
    if wait < 1:
        raise ValueError(f"wait={wait} must be at least 1 second")
    if processes is not None and processes < 1:
        raise ValueError(f"processes={processes} must be at least 1")
    if process is not None and (processes is None or not 0 <= process < processes):
        raise ValueError(f"process={process} must be from 0 to processes - 1")
    if coordinator is None:
        return
    if processes is None or process is None:
        raise ValueError(
            f"coordinator={coordinator} also needs processes=N and process=I"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"coordinator={coordinator!r} must have the form HOST:PORT")


def _meet(group: Group) -> None:
    """Wait until all processes are there.

    JAX would do so too, but end the process without an exception when it gives up.
    """
    end = time.monotonic() + group.wait
    (_gather if group.process == 0 else _report)(group, end)


def _gather(group: Group, end: float) -> None:
    """Let the other processes connect, and release them once all have."""
    coordinator, processes, _, wait = group
    assert coordinator is not None
    assert processes is not None
    port = int(coordinator.rpartition(":")[2])
    present: dict[int, socket.socket] = {}
    try:
        with socket.create_server(("", port)) as server:
            while len(present) < processes - 1:
                server.settimeout(max(end - time.monotonic(), 1e-3))
                connection, _ = server.accept()
                connection.settimeout(max(end - time.monotonic(), 1e-3))
                name = connection.recv(16)
                if name.isdigit() and 0 < int(name) < processes:
                    present[int(name)] = connection
        for connection in present.values():
            connection.sendall(b"go")
    except TimeoutError:
        raise ValueError(
            f"only {1 + len(present)} of {processes} processes came to {coordinator} "
            f"within {wait} s: start the others, or wait longer"
        ) from None
    except OSError as error:
        raise ValueError(
            f"coordinator={coordinator} cannot listen there ({error.strerror}): choose "
            "a free port"
        ) from error
    finally:
        for connection in present.values():
            connection.close()


def _report(group: Group, end: float) -> None:
    """Connect to the first process, and wait until it releases this one."""
    assert group.coordinator is not None
    host, _, port = group.coordinator.rpartition(":")
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, int(port)), left) as connection:
                connection.sendall(str(group.process).encode())
                connection.settimeout(max(end - time.monotonic(), 1e-3))
                if connection.recv(2) == b"go":
                    return
        except OSError:
            pass
        time.sleep(RETRY_SECONDS)
    raise ValueError(
        f"coordinator={group.coordinator} did not answer process {group.process} "
        f"within {group.wait} s: start all processes, or correct the address"
    )


def is_first() -> bool:
    """Return whether this process keeps the files and speaks for all."""
    return jax.process_index() == 0


def exchange(value: Any) -> list[Any]:
    """Return the values of all processes, in their order; all must call this."""
    if jax.process_count() == 1:
        return [value]
    message = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = process_allgather(np.array([message.size], np.int32)).ravel()
    padded = np.zeros(sizes.max(), np.uint8)
    padded[: message.size] = message
    messages = process_allgather(padded)
    return [
        pickle.loads(row[:size].tobytes())
        for row, size in zip(messages, sizes, strict=True)
    ]


def together(work: Callable[[], T]) -> T:
    """Return the result of this process's work, once it has succeeded on all.

    Raises:
        Exception: what the work raises here.
        ValueError: if it raised one elsewhere; likewise OSError and RuntimeError, which
            stands for all others.
    """
    if jax.process_count() == 1:
        return work()
    own = failure = None
    try:
        result = work()
    except Exception as error:
        kinds = (ValueError, OSError, RuntimeError)
        kind = next((k for k in kinds if isinstance(error, k)), RuntimeError)
        own, failure = error, (kind, str(error))
    failures = exchange(failure)
    if own is not None:
        raise own
    for process, other in enumerate(failures):
        if other is not None:
            raise other[0](f"process {process}: {other[1]}")
    return result


def on_first(work: Callable[[], T]) -> T | None:
    """Return the result of work that the first process does alone; None elsewhere.

    Raises:
        Exception: on all processes, as `together` does.
    """
    return together(lambda: work() if is_first() else None)


def from_first(work: Callable[[], T]) -> T:
    """Return on all processes the result, to be pickled, of the first one's work.

    Raises:
        Exception: on all processes, as `together` does.
    """
    return exchange(on_first(work))[0]
