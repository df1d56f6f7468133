"""What a long run shows and hears: a progress bar, and requests to stop."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
from tqdm import tqdm


def progress_bar(
    total: int, unit: str, label: str | None = None, initial: int = 0
) -> tqdm:
    """Return a progress bar, silent off a terminal."""
    quiet = not sys.stderr.isatty()
    return tqdm(total=total, unit=unit, desc=label, initial=initial, disable=quiet)


@contextmanager
def progress(steps: int, done: int) -> Iterator[Callable[[dict], None]]:
    """Yield a function that advances a progress bar; silent off a terminal."""
    with progress_bar(steps, "step", initial=done) as bar:

        def show(row: dict[str, np.ndarray]) -> None:
            bar.update(int(row["step"][0]) - bar.n)
            bar.set_postfix(
                loss=f"{np.mean(row['loss']):.4f}", ESS=f"{np.mean(row['ess']):.4f}"
            )

        yield show


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGINT or SIGTERM has arrived.

    Python lets the main thread alone hear them: in any other, none arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        received.append(signum)

    caught = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, note) for number in caught}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
