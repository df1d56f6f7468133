"""Programs larger than the machine are refused before they run."""

import jax
import jax.numpy as jnp
import pytest

from sesamo_jax import (
    Config,
    EvaluationConfig,
    TrainingConfig,
    build_model,
    build_target,
    evaluate,
    fit,
)
from sesamo_jax.config import HMCConfig, SMCConfig, complete
from sesamo_jax.flows import RealNVPConfig
from sesamo_jax.parallel.memory import (
    check_memory,
    device_memory_bytes,
    group_limit_bytes,
)
from sesamo_jax.reference.hmc import run_hmc

TOO_MANY = 2**31 - 1
REFUSED = r"needs [\d.]+ GiB of memory, more than the [\d.]+ GiB there are: lower "


def product(size):
    """Return a program that holds all of an outer product, compiled only."""

    def outer(x):
        matrix = jnp.outer(x, x)
        return matrix @ jnp.sort(matrix, axis=0)[0]

    return jax.jit(outer).lower(jnp.zeros(size, jnp.float32)).compile()


def test_the_bound_is_the_machines_memory():
    fitting = int((device_memory_bytes() / 4) ** 0.5)
    check_memory(product(fitting // 4), "it", "lower it")
    with pytest.raises(ValueError, match="it " + REFUSED):
        check_memory(product(2 * fitting), "it", "lower it")


def test_sizes_are_refused_before_anything_is_built():
    """Terabytes, by sizes alone; the sentence names what to lower."""
    gmm, ring = (
        build_target("gmm"),
        build_target("hubbard", lattice="ring", extents=(4,)),
    )
    for target, config, words in (
        (gmm, Config(training=TrainingConfig(batch_size=TOO_MANY)), "training.batch"),
        (
            gmm,
            Config(
                evaluation=EvaluationConfig(samples=TOO_MANY, batch_size=TOO_MANY),
            ),
            "evaluation.batch_size",
        ),
        (ring, Config(evaluation=EvaluationConfig(samples=TOO_MANY)), "evaluation.sam"),
        (ring, Config(method="hmc", hmc=HMCConfig(chains=TOO_MANY)), "hmc.chains or"),
        (
            ring,
            Config(method="smc", smc=SMCConfig(particles=TOO_MANY)),
            "smc.particles",
        ),
        (
            ring,
            Config(method="smc", smc=SMCConfig(populations=TOO_MANY)),
            "smc.populations",
        ),
    ):
        with pytest.raises(ValueError, match=REFUSED + words):
            complete(config, target)
    with pytest.raises(ValueError, match=r"event_shape \(1000000, 1000000\) has more"):
        build_target("phi4_real", shape=(10**6, 10**6))
    large = build_target("phi4_real", shape=(46_000, 46_000))
    with pytest.raises(ValueError, match=REFUSED + r".* shape \(46000, 46000\)"):
        complete(Config(), large)
    couplings = Config(flow=RealNVPConfig(width=50_000, layers=30))
    with pytest.raises(
        ValueError, match=r"training \d+ parameters needs .* smaller flow"
    ):
        build_model(gmm, couplings)


@pytest.mark.slow
def test_training_and_reports_name_what_to_lower():
    """Sizes that would fit if there were samples only, but for the networks' layers."""
    target, many = build_target("gmm"), device_memory_bytes() // 64
    config = Config(
        training=TrainingConfig(batch_size=many),
        evaluation=EvaluationConfig(samples=many, batch_size=many),
    )
    model = build_model(target, config)
    with pytest.raises(ValueError, match=f"training {REFUSED}training.batch_size"):
        fit(model, target, config)
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=f"the report {REFUSED}evaluation.batch_size"):
        evaluate(model, target, config, params, jax.random.key(1))


@pytest.mark.slow  # compiles much
def test_chains_name_what_to_lower(key):
    with pytest.raises(ValueError, match=f"hmc {REFUSED}hmc.chains or hmc.samples"):
        run_hmc(build_target("hubbard"), HMCConfig(chains=100, samples=10**8), key)


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        (
            "0::/job/step\n",
            {"job/memory.max": "3000", "job/step/memory.max": "max"},
            3000,
        ),
        ("0::/\n", {"memory.max": "777"}, 777),
        (
            "9:cpu,memory:/job\n1:name=systemd:/\n0::/\n",
            {"memory/job/memory.limit_in_bytes": "5000", "memory.max": "6000"},
            5000,
        ),
        ("4:memory:/elsewhere\n", {"memory/memory.limit_in_bytes": "40"}, 40),
        ("0::/\n", {}, float("inf")),
        (None, {}, float("inf")),
    ],
    ids=[
        "job of 2",
        "container of 2",
        "job of 1",
        "container of 1",
        "none",
        "no Linux",
    ],
)
def test_the_memory_of_a_container_is_its_limit(own, files, limit, tmp_path):
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    if own is not None:
        (tmp_path / "own").write_text(own)
    assert group_limit_bytes(tmp_path / "own", tmp_path / "groups") == limit
