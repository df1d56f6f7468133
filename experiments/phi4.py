"""The lattice phi^4 study: every run behind its tables and figures, in one command.

`python experiments/phi4.py` carries out all runs in order, each into a folder of
`experiments/results/phi4/`; finished ones are skipped, an interrupted one continues.
`--list` shows them with their commands, `--only NAME ...` picks some.
"""

import argparse
from pathlib import Path
from typing import Any

from sesamo_jax.runs import execute
from sesamo_jax.settings import resolve

RESULTS = Path(__file__).parent / "results" / "phi4"

SMALL = {"target.shape": "8,8"}
CRITICAL = {"target.mass2": -4.0, "base.mean": 0.0}
# Symmetric phase, near the transition, deep in the broken phase.
PHASES = (0.22, 0.26, 0.4)

# name: (target, settings, seeds)
Entry = tuple[str, dict[str, Any], int]
RUNS: dict[str, Entry] = {}


def add(name: str, target: str, settings: dict[str, Any], seeds: int = 1) -> None:
    """Add a run."""
    RUNS[name] = (target, settings, seeds)


def add_with_hmc(name: str, target: str, space: dict[str, Any], seeds: int = 1) -> None:
    """Add a run, and HMC of the same target beside it."""
    add(name, target, space, seeds)
    space = {k: v for k, v in space.items() if k.startswith("target.")}
    add(f"{name}_hmc", target, {"method": "hmc", **space})


add_with_hmc("complex", "phi4_complex", {}, 3)
add_with_hmc("complex_broken", "phi4_complex_broken", {}, 3)
add_with_hmc("real_0.0", "phi4_real", {"target.alpha": 0.0})
# HMC hardly changes the sign of the field: see its sectors.
add_with_hmc("real_0.005", "phi4_real", {"target.alpha": 0.005})
for alpha in (0.001, 0.002, 0.01):
    add(f"real_{alpha}", "phi4_real", {"target.alpha": alpha})
add_with_hmc("critical_8x8", "phi4_real", SMALL | CRITICAL | {"target.lam": 6.008}, 3)
for kappa in PHASES:
    add_with_hmc(f"complex_kappa_{kappa}", "phi4_complex", {"target.kappa": kappa})
add("complex_aligned", "phi4_complex", {"target.space": "aligned"}, 3)
for alpha in (0.001, 0.005, 0.01):
    add(
        f"real_{alpha}_canonicalization",
        "phi4_real",
        {"target.alpha": alpha, "method": "canonicalization", "training.steps": 1000},
    )
add("complex_realnvp", "phi4_complex", {"method": "realnvp"})
add("complex_smc", "phi4_complex", {"method": "smc"})
add("real_0.0_smc", "phi4_real", {"method": "smc"})


def command(name: str) -> str:
    """Return the command line of one run."""
    target, settings, seeds = RUNS[name]
    words = [f"--target {target}"]
    words += [f"--set {key}={value}" for key, value in settings.items()]
    words += [f"--seeds {seeds}"] if seeds > 1 else []
    output = f"--output experiments/results/phi4/{name}"
    return " ".join(["python experiments/run.py", *words, output])


def main() -> None:
    """Carry out the runs that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show the runs and stop")
    parser.add_argument("--only", nargs="+", choices=RUNS, metavar="NAME", help="some")
    options = parser.parse_args()
    for name in options.only or RUNS:
        print(command(name), flush=True)
        if not options.list:
            target, settings, seeds = RUNS[name]
            run = resolve(target, settings=settings, seeds=seeds)
            metrics = execute(run, RESULTS / name, resume=True)
            ess = metrics["aggregate"]["ess"]["text"]
            print(f"  ESS {ess}, {metrics['aggregate']['wall_seconds']['mean']:.0f} s")


if __name__ == "__main__":
    main()
