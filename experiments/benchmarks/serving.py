"""The answering side of a benchmark process: JSON lines in, JSON lines out.

It runs in environments that hold only a peer's package: nothing but the standard
library here.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(calls: dict[str, Callable[..., Any]]) -> None:
    """Answer jobs from standard input until it ends.

    Args:
        calls: functions by name. A job is one line, an object of the name as `call` and
            the keyword arguments; its answer is one line, `result` or `error`.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = {"result": calls[job.pop("call")](**job)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
