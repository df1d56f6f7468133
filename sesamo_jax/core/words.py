"""What is said to a user whose request is refused."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class Refused(ValueError):
    """An error whose message says all that there is to say, whoever passes it on."""


def unknown(kind: str, name: Any, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest known one."""
    known = list(known)
    return f"unknown {kind} {name!r}{nearest(name, known)}; known: {', '.join(known)}"


def nearest(name: Any, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return "; nearest: ..." for the known name that is most alike, if one is."""
    close = get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f"; nearest: {close[0]}" if close else ""
