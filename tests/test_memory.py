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
from sesamo_jax.memory import check_memory, device_memory_bytes
from sesamo_jax.reference.config import HMCConfig
from sesamo_jax.reference.hmc import run_hmc

TOO_MANY = 10**9
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


def test_training_and_reports_name_what_to_lower():
    target = build_target("gmm")
    config = Config(
        training=TrainingConfig(batch_size=TOO_MANY),
        evaluation=EvaluationConfig(samples=TOO_MANY, batch_size=TOO_MANY),
    )
    model = build_model(target, config)
    with pytest.raises(ValueError, match=f"training {REFUSED}training.batch_size"):
        fit(model, target, config)
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=f"the report {REFUSED}evaluation.batch_size"):
        evaluate(model, target, config, params, jax.random.key(1))


def test_chains_name_what_to_lower(key):
    with pytest.raises(ValueError, match=f"hmc {REFUSED}hmc.chains or hmc.samples"):
        run_hmc(build_target("hubbard"), HMCConfig(chains=100, samples=10**8), key)
