"""Libraries that not everybody needs."""

import importlib
from typing import Any


def needed(module: str) -> Any:
    """Return a module of a library that may not be installed.

    Raises:
        ImportError: if it is not, with the remedy.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise ImportError(
            f"{library} is not installed: pip install {library}, or all that results "
            "can be handed to, pip install 'sesamo-jax[export]'"
        ) from error
