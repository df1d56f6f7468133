"""The history of a training: its columns, torn files, and those of earlier versions."""

import numpy as np
import pytest

from sesamo_jax import Config, RealNVPConfig, TrainingConfig, build_model, build_target
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.history import COLUMNS, HEAD
from sesamo_jax.training.fit import fit


@pytest.mark.parametrize("objective", ["reverse_kl", "maximum_likelihood"])
def test_every_metric_of_a_training_has_a_column(objective, tmp_path, rng):
    path = str(tmp_path / "data.npy")
    np.save(path, rng.normal(size=(20, 2)))
    training = TrainingConfig(
        objective=objective,
        data=path if objective == "maximum_likelihood" else None,
        batch_size=8,
        steps=4,
        chunk=2,
    )
    config = Config("realnvp", flow=RealNVPConfig(1, 0, 4), training=training)
    target = build_target("gmm", modes=3, radius=3.0)
    folder = RunFolder(tmp_path)

    def write(states, row):
        folder.append_history([5, 6], row)

    result = fit(build_model(target, config), target, config, [5, 6], on_chunk=write)
    found = folder.read_history()
    assert set(found) == {"seed"} | (set(result.history) - {"compile_seconds"})
    assert ("nll" in found) == (objective == "maximum_likelihood")
    for name in set(found) - {"seed"}:
        np.testing.assert_allclose(found[name], result.history[name], rtol=1e-6)


def test_a_history_of_an_earlier_version_keeps_its_columns(tmp_path):
    folder = RunFolder(tmp_path)
    rows_of(folder, (10,))
    assert folder.history_path.read_text().startswith(HEAD + "\n")
    rows_of(folder, (20,), (*COLUMNS, "nll"))
    found = folder.read_history()
    assert tuple(found) == COLUMNS
    assert found["step"].tolist() == [[10, 10], [20, 20]]
    folder.truncate_history([4, 9], 10)
    assert folder.read_history()["step"].tolist() == [[10, 10]]


def rows_of(folder, steps, names=COLUMNS):
    for step in steps:
        row = {name: np.array([i + 0.5, i + 0.25]) for i, name in enumerate(names)}
        folder.append_history([4, 9], row | {"step": np.array([step, step])})


@pytest.mark.parametrize("names", [COLUMNS, (*COLUMNS, "nll")], ids=["old", "nll"])
def test_a_history_cut_at_any_byte_goes_on_where_the_checkpoint_is(
    names, tmp_path, capsys
):
    folder = RunFolder(tmp_path)
    rows_of(folder, (10, 20, 30), names)
    whole = folder.history_path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = np.cumsum([0, *map(len, lines)])
    for size in {*range(0, len(whole), 7), *ends, *(ends[1:] - 1), *(ends[:-1] + 1)}:
        for done, steps in ((0, (10, 20, 30)), (20, (30,))):
            folder.history_path.write_bytes(whole[:size])
            folder.truncate_history([4, 9], done)
            rows_of(folder, steps, names)
            said = capsys.readouterr().err
            if done == 0 or size >= ends[5]:
                assert folder.history_path.read_bytes() == whole
                assert said == ""
            else:  # what is there of the steps before the checkpoint stays
                assert said.count("\n") == 1
                assert f"{folder.history_path}: its lines up to step 20" in said
                kept = lines[1:3] if size >= ends[3] else []
                expected = b"".join([lines[0], *kept, *lines[5:]])
                assert folder.history_path.read_bytes() == expected
            assert folder.read_history()["step"][-1].tolist() == [30, 30]


def test_a_history_of_something_else_is_refused(tmp_path):
    folder = RunFolder(tmp_path)
    head = HEAD + "\n"
    foreign = ["a,b\n1,2\n", "{}", "seed,step\n4,10\n", HEAD + "x\n"]
    for text in (*foreign, head + "1,2\n", head + "x," * 9 + "\n"):
        folder.history_path.write_text(text)
        with pytest.raises(ValueError, match="history.csv is damaged, .* remove it"):
            folder.truncate_history([4, 9], 10)
        assert folder.history_path.read_text() == text
