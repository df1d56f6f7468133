"""The asking side: every contender is measured in a process of its own.

Processes that take turns stay alive and sleep between their turns, so that no turn has
to compile anew.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reading import ROOT


class Worker:
    """A process that answers jobs; use it in a `with` statement.

    Args:
        module: name of a module of this folder that ends in `serve`.
        python: interpreter of its environment; None takes this one.
    """

    def __init__(self, module: str, python: Path | None = None) -> None:
        self.module = module
        search = os.pathsep.join([str(ROOT / "experiments"), str(ROOT)])
        self.process = subprocess.Popen(
            [str(python or sys.executable), "-m", f"benchmarks.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": search},
        )

    def ask(self, call: str, **arguments: Any) -> Any:
        """Return the answer to one job.

        Raises:
            RuntimeError: if the job failed or the process has ended.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"call": call, **arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise RuntimeError(
                f"benchmarks.{self.module} ended with code {code} before it answered "
                f"{call!r}: see its message above"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(
                f"benchmarks.{self.module} could not {call!r}: {answer['error']}"
            )
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.process.terminate()
        # The end of its input ends it; a dead one leaves its input unread.
        with suppress(BrokenPipeError), self.process:
            pass
