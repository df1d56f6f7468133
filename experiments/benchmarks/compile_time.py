"""Seconds of compilation against depth and against seeds."""

from typing import Any

from benchmarks.ours import build, compile_chunk
from benchmarks.serving import serve
from benchmarks.workers import Worker

TARGET = "gmm"
DEPTHS = (2, 4, 8, 16)
SEEDS = (1, 10)


def measure(repeats: int) -> dict[str, Any]:
    """Return seconds, one entry a repeat, by number of couplings and of seeds."""
    with Worker("compile_time") as worker:
        worker.ask("compilation", couplings=1, seeds=1)  # loads what compiling needs

        def series(name: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
            return [
                {
                    name: value,
                    "seconds": [
                        worker.ask(
                            "compilation", **{"couplings": 4, "seeds": 1, name: value}
                        )
                        for _ in range(repeats)
                    ],
                }
                for value in values
            ]

        return {
            "target": TARGET,
            "couplings": series("couplings", DEPTHS),
            "seeds": series("seeds", SEEDS),
        }


def compilation(*, couplings: int, seeds: int) -> float:
    """Return the seconds of tracing and compiling a program of training steps."""
    sampler = build(TARGET, settings={"flow.couplings": couplings})
    return compile_chunk(sampler, range(seeds))[2]


if __name__ == "__main__":
    serve({"compilation": compilation})
