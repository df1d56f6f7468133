"""What users hand over: functions of one event, arrays of events, and how many."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sesamo_jax.config import BaseConfig, Config, VMoNFConfig, build_model, resolve
from sesamo_jax.core import Target
from sesamo_jax.flows import FLOWS, RealNVPConfig
from sesamo_jax.symmetries import Cyclic
from sesamo_jax.targets import build_target

SMALL = RealNVPConfig(2, 0, 4)


def square(x):
    return jnp.sum(x**2)


@pytest.mark.parametrize(
    ("action", "found"),
    [
        (lambda x: square(x)[None], r"shape \(1,\) of type float32"),
        (lambda x: x**2, r"shape \(3,\) of type float32"),
        (lambda x: jnp.sum(x > 0), r"shape \(\) of type int64"),
        (lambda x: square(x) + 0j, r"shape \(\) of type complex64"),
        (lambda x: jnp.all(x > 0), r"shape \(\) of type bool"),
        (lambda x: (square(x), x), "a tuple"),
        (lambda x: None, "a NoneType"),
    ],
)
def test_actions_that_are_no_real_number_are_refused(action, found):
    message = rf"'mine': action takes an event of shape \(3,\) to {found}, and must"
    with pytest.raises(ValueError, match=message):
        Target("mine", (3,), action)


@pytest.mark.parametrize(
    "action",
    [
        lambda x: square(x) if x[0] > 0 else square(x) + 1,
        lambda x: float(np.sum(x)),
        lambda x: jnp.asarray(np.sin(x)).sum(),
        lambda x: jnp.arange(5.0)[int(x[0])],
    ],
    ids=["if", "float", "numpy", "int"],
)
def test_actions_that_need_values_are_refused_with_a_remedy(action):
    with pytest.raises(ValueError, match=r"'mine': action needs .* use jnp\.where"):
        Target("mine", (3,), action)


@pytest.mark.parametrize(
    ("observable", "found"),
    [
        (lambda x: [x[0], x[1]], "a list"),
        (lambda x: None, "a NoneType"),
        (lambda x: jnp.fft.fft(x), r"shape \(3,\) of type complex64"),
    ],
)
def test_observables_that_are_no_real_arrays_are_refused(observable, found):
    message = rf"'mine': observable 'odd' takes an event of shape \(3,\) to {found}"
    with pytest.raises(ValueError, match=message):
        Target("mine", (3,), square, observables={"odd": observable})
    with pytest.raises(ValueError, match=message):
        Target("mine", (3,), square, measure=lambda x: {"odd": observable(x)})


def test_functions_of_the_right_kind_are_taken():
    def measure(x):
        return {"count": jnp.sum(x > 0), "above": x[0] > 0, "constant": 1.0}

    target = Target("mine", (3,), lambda x: 0.0, observables={"x": lambda x: x})
    Target("mine", (2, 3), square, measure=measure, dtype="float64")
    assert target.observe(jnp.ones(3))["x"].shape == (3,)


def wedge():
    target = Target("wedge", (2,), square, Cyclic(3))
    return build_model(target, Config(flow=SMALL)), (2,), (2,)


def components():
    target = Target("pair", (1, 2), square)
    config = Config("vmonf", flow=SMALL, vmonf=VMoNFConfig(2, 4, 0))
    return build_model(target, config), (1, 2), (1, 2)


def aligned():
    target = build_target("phi4_complex", shape=(2, 2), space="aligned")
    return build_model(target, Config(flow=SMALL)), (2, 2, 2), (2, 2)


def continuous():
    target = build_target("phi4_real", shape=(2, 2))
    base = BaseConfig(kind="gaussian")
    config = Config("realnvp", flow=FLOWS["continuous"], base=base)
    return build_model(target, config), (2, 2), (2, 1)  # y is of the even sites


MODELS = [wedge, components, aligned, continuous]


@pytest.mark.parametrize("build", MODELS)
def test_events_of_another_shape_are_refused_by_every_function(build):
    """Before anything runs: params are not even looked at."""
    model, x_shape, y_shape = build()
    functions = {
        "log_prob": (partial(model.log_prob, None), x_shape),
        "margins": (model.margins, y_shape),
    }
    if model.flow_log_prob is not None:
        functions["flow_log_prob"] = (partial(model.flow_log_prob, None), y_shape)
    if model.leaked is not None:
        functions["leaked"] = (model.leaked, y_shape)
    if model.integrated is not None:
        adaptive = partial(model.integrated.adaptive_log_prob, None)
        functions["adaptive_log_prob"] = (adaptive, y_shape)
        functions["log_prob "] = (
            partial(model.integrated.accurate.log_prob, None),
            x_shape,
        )
    for name, (function, shape) in functions.items():
        longer = (*shape[:-1], shape[-1] + 1)
        for wrong in (shape, (5, *longer), (5, 4, *shape), (5,)):
            if len(wrong) == len(shape) + 1 and wrong[1:] == shape:
                continue
            with pytest.raises(ValueError, match=name.strip()) as error:
                function(jnp.zeros(wrong))
            assert f"events of shape {shape}" in str(error.value)
            assert f"got {wrong}" in str(error.value)
            with pytest.raises(ValueError, match=name.strip()):
                jax.eval_shape(function, jax.ShapeDtypeStruct(wrong, jnp.float32))


@pytest.mark.parametrize("n", [0, -1, 2.5, None, "3", True])
def test_numbers_of_samples_that_are_none_are_refused(n):
    model, *_ = wedge()
    particles = build_model(build_target("dw2"), resolve("dw2").config)
    for name, draw in {
        "sample": model.sample,
        "images": model.images,
        "prior": particles.transport.prior,
    }.items():
        with pytest.raises(ValueError, match=f"{name} draws n={n!r} events: n must"):
            draw(None, jax.random.key(0), n)


@pytest.mark.slow
def test_checks_leave_transformations_as_they_are():
    model, *_ = wedge()
    params = model.init(jax.random.key(0))
    draw = jax.jit(partial(model.sample, n=np.int64(4)))
    x = draw(params, jax.random.key(1)).x
    assert x.shape == (4, 2)

    def total(params, x):
        return jnp.sum(model.log_prob(params, x))

    several = jax.jit(jax.vmap(jax.grad(total), (None, 0)))(params, x[:, None])
    one = jax.grad(total)(params, x[2:3])
    for a, b in zip(jax.tree.leaves(several), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(a[2], b, atol=1e-5)
