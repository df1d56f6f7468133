"""What a long run shows and hears: bars, messages, and requests to stop."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
from tqdm import tqdm

LOGGER = logging.getLogger("sesamo_jax")
# Shown of training, means over the seeds, where they are known.
SHOWN = {"loss": "loss", "ESS": "ess", "log Z": "log_z"}


def is_interactive() -> bool:
    """Return whether stderr can show a bar: a terminal, or a notebook."""
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")


@contextmanager
def heard() -> Iterator[None]:
    """Let the library's messages appear on stderr where neither logging nor a bar is.

    `logging` has them under the name `sesamo_jax`, and has them alone where it asks for
    messages of the level INFO.
    """
    if LOGGER.isEnabledFor(logging.INFO) or is_interactive():
        yield
        return
    handler, level = logging.StreamHandler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False  # libraries put handlers of their own at the root
    try:
        yield
    finally:
        LOGGER.propagate = True
        LOGGER.setLevel(level)
        LOGGER.removeHandler(handler)


def progress_bar(
    total: int, unit: str, label: str | None = None, initial: int = 0
) -> tqdm:
    """Return a progress bar, silent where stderr can show none."""
    quiet = not is_interactive()
    return tqdm(total=total, unit=unit, desc=label, initial=initial, disable=quiet)


@contextmanager
def progress(steps: int, done: int) -> Iterator[Callable[[dict], None]]:
    """Yield a function that shows a row of the history, as a bar and as messages.

    Messages are one of compilation and one for every tenth of the steps.
    """
    tenths = 10 * done // steps
    with progress_bar(steps, "step", "compiling", done) as bar:
        LOGGER.info("compiling")

        def show(row: dict[str, np.ndarray]) -> None:
            nonlocal tenths
            step = int(row["step"][0])
            values = {label: float(np.mean(row[name])) for label, name in SHOWN.items()}
            texts = {k: f"{v:.4f}" for k, v in values.items() if np.isfinite(v)}
            bar.set_description("training", refresh=False)
            bar.update(step - bar.n)
            bar.set_postfix(texts)
            if 10 * step // steps > tenths:
                tenths = 10 * step // steps
                words = ", ".join(f"{label} {text}" for label, text in texts.items())
                left = float(row["seconds"][0]) / step * (steps - step)
                LOGGER.info(
                    "training: step %d of %d, %s, %s left",
                    *(step, steps, words, tqdm.format_interval(left)),
                )

        yield show


def say_stopped(step: int, why: str | None) -> None:
    """Say at which step a training ended before its last one, and why, if it did."""
    if why is not None:
        LOGGER.info("training: ended at step %d, since %s", step, why)


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
