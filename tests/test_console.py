"""What a long run shows: a bar on terminals, and else a line now and then."""

import logging
import sys

import numpy as np
import pytest

from sesamo_jax.run import console


def rows(steps, chunk, done=0):
    for step in range(done + chunk, steps + 1, chunk):
        yield {
            "step": np.array([step, step]),
            "loss": np.array([1.0, 2.0]),
            "ess": np.array([0.25, 0.75]),
            "log_z": np.array([np.nan, 3.0]),
            "seconds": np.array([0.5, 0.5]) * step,
        }


def shown(steps, chunk, done=0):
    with console.heard(), console.progress(steps, done) as show:
        for row in rows(steps, chunk, done):
            show(row)


def test_off_a_terminal_there_is_a_line_for_every_tenth(capsys):
    shown(200, 5)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == "compiling"
    assert [line.split(",")[0] for line in lines[1:]] == [
        f"training: step {step} of 200" for step in range(20, 201, 20)
    ]
    # what is not known is left out; half a second a step
    assert lines[1] == "training: step 20 of 200, loss 1.5000, ESS 0.5000, 01:30 left"


def test_a_resumed_run_goes_on_from_its_tenth(capsys):
    shown(100, 10, done=70)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["80", "90", "100"]


def test_logging_has_the_lines_alone_where_it_asks_for_them(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="sesamo_jax"):
        shown(100, 50)
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "compiling",
        "training: step 50 of 100",
        "training: step 100 of 100",
    ]
    assert capsys.readouterr() == ("", "")


def test_nothing_is_heard_unasked(capsys):
    with console.progress(100, 0) as show:
        for row in rows(100, 50):
            show(row)
    assert capsys.readouterr() == ("", "")


class Stream:
    """Where a bar can be shown."""

    def __init__(self, is_terminal):
        self.text, self.is_terminal = "", is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return self.is_terminal


NOTEBOOK = type("OutStream", (Stream,), {"__module__": "ipykernel.iostream"})


@pytest.mark.parametrize("stream", [Stream(True), NOTEBOOK(False)])
def test_terminals_and_notebooks_have_a_bar_instead(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    shown(100, 50)
    assert "compiling: " in stream.text
    assert "training: 100%" in stream.text
    assert "ESS=0.5000" in stream.text
    assert "of 100" not in stream.text
