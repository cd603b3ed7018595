"""The run directory: what goes in comes out, and what is missing or damaged is named."""

import json

import jax
import numpy as np
import pytest
from made_sequences import sequences
from test_training import STATISTICS, TINY, TRAIN, turns

from jtss import checkpoint, predict
from jtss.data import standardised
from jtss.model import Batch

# Orbax leaves coroutines behind where a damaged checkpoint makes it fail
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PROVENANCE = dict.fromkeys(checkpoint.PROVENANCE, "made")


@pytest.fixture(scope="module")
def final_state():
    return list(turns(TINY))[-1].state


@pytest.fixture
def run(tmp_path, final_state):
    directory = checkpoint.create(tmp_path / "run", TINY, STATISTICS, PROVENANCE)
    with directory.states() as states:
        states.save(final_state)
    return directory


def test_everything_comes_back(run, final_state):
    again = checkpoint.open_run(run.path)
    assert (again.config, again.statistics, again.provenance) == (TINY, STATISTICS, PROVENANCE)
    with again.states() as states:
        restored = states.latest(TINY)
    assert jax.tree.structure(restored) == jax.tree.structure(final_state)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(final_state), strict=True):
        np.testing.assert_array_equal(a, b)


def test_metrics_are_appended_and_forgotten_from_a_step_on(run):
    for step in (4, 8, 12):
        run.append_metrics({"step": step, "train_loss": 1.0 / step})
    run.forget_metrics_after(8)
    assert [line["step"] for line in run.metrics()] == [4, 8]


def test_a_last_line_cut_short_is_no_damage_and_another_one_is_named(run):
    for step in (4, 8):
        run.append_metrics({"step": step})
    path = run.path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 12, "tr')
    assert [line["step"] for line in run.metrics()] == [4, 8]
    path.write_text('{"ste\n' + path.read_text())
    with pytest.raises(checkpoint.RunError, match=r"metrics.jsonl, line 1: damaged"):
        run.metrics()


def test_the_best_model_is_used_and_not_the_latest(tmp_path, final_state):
    other = jax.tree.map(lambda leaf: leaf + 1, final_state.variables)
    directory = checkpoint.create(tmp_path / "run", TINY, STATISTICS, PROVENANCE)
    with directory.states() as states:
        states.save(final_state._replace(variables=other))
    loaded = predict.load_run(directory.path).variables
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(final_state.best.variables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_model_predicts_the_same_in_any_company(run):
    loaded = predict.load_run(run.path)
    batch = standardised(TRAIN, STATISTICS)
    many = predict.probabilities(loaded, Batch(*(part[:50] for part in batch)))
    one = predict.probabilities(loaded, Batch(*(part[7:8] for part in batch)))
    assert many.shape == (50, 3)
    np.testing.assert_allclose(many.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(one[0], many[7], rtol=1e-5)


def test_no_object_with_enough_detections_is_no_error(run):
    indices, probabilities = predict.predict(predict.load_run(run.path), sequences((1, 2, 1)))
    assert (indices.shape, probabilities.shape) == ((0,), (0, 3))


def test_a_run_directory_is_never_written_over(run):
    with pytest.raises(FileExistsError, match="go on with it by --resume"):
        checkpoint.create(run.path, TINY, STATISTICS, PROVENANCE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", "{", "config.json: damaged"),
        ("config.json", "[1]", "config.json: damaged"),
        ("statistics.json", "{}", "statistics.json: damaged"),
        ("provenance.json", None, "provenance.json is missing"),
        ("provenance.json", "{}", "provenance.json: command, data, data_hash, started, versions, device missing"),
    ],
)
def test_a_missing_or_damaged_file_is_named(run, name, content, message):
    if content is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_text(content)
    with pytest.raises(checkpoint.RunError, match=message):
        checkpoint.open_run(run.path)


def test_no_directory_no_checkpoint_no_model(tmp_path, run):
    with pytest.raises(checkpoint.RunError, match="no such run directory"):
        predict.load_run(tmp_path / "absent")
    empty = checkpoint.create(tmp_path / "empty", TINY, STATISTICS, PROVENANCE)
    with pytest.raises(checkpoint.RunError, match="checkpoints is missing: nothing was saved"):
        predict.load_run(empty.path)


def test_a_checkpoint_of_another_config_is_refused(run):
    values = json.loads((run.path / "config.json").read_text())
    values["encoder"]["units"] = 32
    (run.path / "config.json").write_text(json.dumps(values))
    with pytest.raises(checkpoint.RunError, match="cannot be restored"):
        predict.load_run(run.path)


def test_a_checkpoint_with_a_file_cut_away_is_refused(run):
    for path in (run.path / "checkpoints").rglob("*"):
        if path.is_file() and path.stat().st_size > 10_000:
            path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(checkpoint.RunError, match="cannot be restored"):
        predict.load_run(run.path)


def test_a_damaged_checkpoint_points_to_the_one_before(run, final_state):
    with run.states() as states:
        states.save(final_state._replace(step=final_state.step + 1))
    for path in (run.path / "checkpoints" / "13").rglob("*"):
        if path.is_file() and path.stat().st_size > 10_000:
            path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(checkpoint.RunError, match="remove that folder to go on from step 12"):
        predict.load_run(run.path)
