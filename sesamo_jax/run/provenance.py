"""Where a result comes from: when, where and how it was made, and by which code."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import jax

PACKAGES = (
    *("sesamo-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"),
    *("distrax", "diffrax", "blackjax"),
)
RESULTS = ":(exclude)experiments/results"  # as git names what it leaves out


def environment() -> dict[str, Any]:
    """Return versions, device and settings that a result may depend on.

    And the date (ISO 8601, with the offset from UTC), the host and the command line,
    whose interpreter goes by its name alone, since where it lies says nothing.
    """
    device = jax.devices()[0]
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "host": platform.node(),
        "command": shlex.join([Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]]),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "device": f"{device.platform} {device.device_kind}",
        "devices": jax.device_count(),
        "packages": versions(),
        **revision(Path(__file__).parents[1]),
        "x64": bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
        "threefry_partitionable": bool(jax.config.jax_threefry_partitionable),  # type: ignore[attr-defined]
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def versions() -> dict[str, str]:
    """Return the versions of the package and of those that a result may depend on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def revision(package: Path) -> dict[str, Any]:
    """Return the commit of a package's folder, and whether files differ from it.

    Both are None unless the folder lies in a checkout of its own: an installed package
    may lie within a repository of something else, whose commit says nothing of it.
    Files that git does not track are no difference, and results are none: those of the
    runs before would be one of every run of a study but the first.
    """
    commit = dirty = None
    tracked = _git(package, "ls-files", "--full-name", "__init__.py")
    if tracked == f"{package.name}/__init__.py":
        commit = _git(package, "rev-parse", "HEAD")
        asked = ("status", "--porcelain", "--untracked-files=no", "--", ".", RESULTS)
        dirty = bool(_git(package.parent, *asked))
    return {"git_commit": commit, "git_dirty": dirty}


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints in a folder, None where it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
