"""Opening a run folder: whether it is new, or holds the run that is to go on."""

from sesamo_jax.config.record import difference, to_json
from sesamo_jax.config.schema import Run
from sesamo_jax.parallel.devices import Placement
from sesamo_jax.run.folder import CONFIG, ENVIRONMENT, METRICS, REMEDIES, RunFolder
from sesamo_jax.run.provenance import environment
from sesamo_jax.run.report.printed import format_report
from sesamo_jax.storage.files import reading


class UsageError(ValueError):
    """A request that cannot be carried out as it stands; nothing was written."""


def open_folder(
    run: Run, folder: RunFolder, resume: bool, placement: Placement
) -> None:
    """Open a run folder, and write what is to be done there and where.

    Args:
        run: what to do.
        folder: to be locked by this; closing it is the caller's.
        resume: whether it may hold the beginning, or all, of this run.
        placement: of the training.

    Raises:
        UsageError: if the folder is in use, not writable or of another configuration.
        Damaged: if its metrics are not those of a run; one sentence.
    """
    path = folder.path
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"output folder {path} has a name that is not UTF-8, as checkpoints need: "
            "choose another, or a locale of UTF-8"
        ) from error
    try:
        new = folder.is_new()
        folder.check()
        config, metrics = folder.read(CONFIG), folder.read(METRICS)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read output folder {path}: {error}") from error
    if not new and config is None:
        raise UsageError(
            f"output folder {path} holds files that are not a run's: choose another"
        )
    if not new and not resume:
        raise UsageError(
            f"output folder {path} already holds a run: choose another, or add --resume"
        )
    wanted = to_json(run)
    known = config
    if config is not None and metrics is None:  # how to judge may still change
        known = {**config, "evaluation": wanted["evaluation"]}
    if known is not None and (changed := difference(known, wanted)):
        raise UsageError(
            f"output folder {path} holds a run of another configuration ({changed}), "
            f"see {path / CONFIG}: repeat its settings to resume, or choose another "
            "folder"
        )
    if metrics is not None:
        with reading(path / METRICS, REMEDIES[METRICS]):
            format_report(metrics)  # which takes all that it should have
            if len(metrics["seeds"]) != run.seeds:
                raise ValueError(f"it is not of {run.seeds} seeds")
    try:
        folder.open()
        if metrics is None:
            folder.write(CONFIG, wanted)
        if config is None or not (path / ENVIRONMENT).exists():
            folder.write(ENVIRONMENT, environment() | {"mesh": placement.describe()})
    except BlockingIOError as error:
        raise UsageError(
            f"another process is at work in output folder {path}: wait for its end, or "
            "choose another"
        ) from error
    except OSError as error:
        raise UsageError(
            f"output folder {path} is not writable: {error.strerror or error}"
        ) from error
