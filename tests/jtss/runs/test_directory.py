"""The run directory: what goes in comes out, and what is missing or damaged is named."""

import json
import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.made_sequences import sequences
from helpers.made_states import LIKE, flip_a_bit, made_state
from helpers.made_training import STATISTICS, TINY, TRAIN
from jtss import files
from jtss.config.settings import override
from jtss.errors import InputError
from jtss.inference import predict
from jtss.network import parts
from jtss.network.inputs import standardised
from jtss.pretrained import load
from jtss.runs import directory as runs_directory

PROVENANCE = dict.fromkeys(runs_directory.PROVENANCE, "made")


@pytest.fixture
def run(tmp_path):
    directory = runs_directory.create(tmp_path / "run", TINY, STATISTICS, PROVENANCE)
    directory.states().save(made_state(4))
    return directory


def contents(directory) -> dict:
    return {path: path.read_bytes() for path in directory.path.rglob("*") if path.is_file()}


def test_everything_comes_back(run):
    again = runs_directory.open_run(run.path)
    assert (again.config, again.statistics, again.provenance) == (TINY, STATISTICS, PROVENANCE)
    assert int(again.states().restore(LIKE).state.step) == 4


def test_metrics_are_appended_and_forgotten_from_a_step_on(run):
    for step in (4, 8, 12):
        run.append_metrics({"step": step, "train_loss": 1.0 / step})
    run.forget_metrics_after(8)
    assert [line["step"] for line in run.metrics()] == [4, 8]


def test_metrics_that_are_not_finite_are_null(run):
    for step in (4, 8):
        run.append_metrics({"step": step, "train_loss": math.nan, "validation_loss": math.inf})
    run.forget_metrics_after(4)
    run.append_metrics({"step": 8, "train_loss": -math.inf, "validation_loss": 0.5})
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
    assert run.metrics() == [
        {"step": 4, "train_loss": None, "validation_loss": None},
        {"step": 8, "train_loss": None, "validation_loss": 0.5},
    ]


def test_of_several_processes_the_first_looks_whether_a_run_is_new(run, monkeypatch):
    other = override(TINY, ["training.seed=7"])
    monkeypatch.setattr("jax.process_index", lambda: 1)
    runs_directory.require_new(run.path, other, {"data_hash": "made"})
    monkeypatch.undo()
    with pytest.raises(FileExistsError):
        runs_directory.require_new(run.path, other, {"data_hash": "made"})


def test_a_last_line_cut_short_is_no_damage_and_another_one_is_named(run):
    for step in (4, 8):
        run.append_metrics({"step": step})
    path = run.path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 12, "tr')
    assert [line["step"] for line in run.metrics()] == [4, 8]
    path.write_text('{"ste\n' + path.read_text())
    with pytest.raises(runs_directory.RunError, match=r"metrics.jsonl, line 1: damaged"):
        run.metrics()


def test_metrics_that_cannot_be_written_are_said(run):
    (run.path / "metrics.jsonl").unlink()
    (run.path / "metrics.jsonl").mkdir()
    with pytest.raises(
        runs_directory.RunError, match=r"metrics.jsonl cannot be written: .+; the last good state is step 4"
    ):
        run.append_metrics({"step": 8})


def test_the_best_model_is_used_and_not_the_latest(run):
    loaded = load.load_model(run.path).members[0].variables
    for a, b in zip(jax.tree.leaves(loaded), jax.tree.leaves(made_state(4).best.variables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_model_predicts_the_same_in_any_company(run):
    loaded = load.load_model(run.path)
    batch = standardised(TRAIN, STATISTICS)
    many = predict.probabilities(loaded, parts.take(batch, slice(50)))
    one = predict.probabilities(loaded, parts.take(batch, slice(7, 8)))
    assert many.shape == (50, 3)
    np.testing.assert_allclose(many.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(one[0], many[7], rtol=1e-5)


def test_no_object_with_enough_detections_is_no_error(run):
    indices, probabilities = predict.predict(load.load_model(run.path), sequences((1, 2, 1)))
    assert (indices.shape, probabilities.shape) == ((0,), (0, 3))


def test_a_new_run_is_not_made_where_something_is(run, tmp_path):
    elsewhere, going_on = "choose another name with --out", "jtss train --resume"
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "mine").mkdir(parents=True)
    cases = {
        "run": (TINY, "made", f"exists and is this run; go on with it by: {going_on} {run.path}; or {elsewhere}"),
        "file": (TINY, "made", f"exists and is not a run directory; {elsewhere}"),
        "folder": (TINY, "made", f"exists and is not a run directory; {elsewhere}"),
    }
    for name, (config, data_hash, message) in cases.items():
        with pytest.raises(FileExistsError) as refused:
            runs_directory.require_new(tmp_path / name, config, {"data_hash": data_hash})
        assert str(refused.value) == f"{tmp_path / name} {message}"


def test_another_run_at_the_same_place_is_refused_naming_what_differs(run):
    other = override(TINY, ["temporal.kernel=2", "training.seed=7"])
    with pytest.raises(FileExistsError) as refused:
        runs_directory.create(run.path, other, STATISTICS, {**PROVENANCE, "data_hash": "other"})
    assert str(refused.value) == (
        f"{run.path} exists and is another run (temporal.kernel: asked for 2, there {TINY.temporal.kernel}; "
        "training.seed: asked for 7, there 0; data hash: asked for other, there made); choose another name with --out"
    )


def test_a_start_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    """At whatever file it was killed: without a configuration there is no run yet, without a state nothing is lost."""
    documents = 4
    for killed_at in range(documents):
        path, written = tmp_path / f"run{killed_at}", iter(range(documents))

        def killed(source, target, killed_at=killed_at, written=written):
            if next(written) == killed_at:
                raise KeyboardInterrupt
            Path(source).rename(target)

        with monkeypatch.context() as patched:
            patched.setattr("os.replace", killed)
            with pytest.raises(KeyboardInterrupt):
                runs_directory.create(path, TINY, STATISTICS, PROVENANCE)
        with pytest.raises(runs_directory.RunError, match=r"config.json is missing: .+ is not a run directory"):
            runs_directory.open_run(path)
        for _ in range(2):
            runs_directory.create(path, TINY, STATISTICS, PROVENANCE)
            assert runs_directory.open_run(path).provenance == PROVENANCE


def test_one_trains_and_others_read(run):
    with run.locked():
        with pytest.raises(files.LockedError, match=f"{run.path} is in use: process {os.getpid()} on"), run.locked():
            pass
        load.load_model(run.path)


def test_reading_writes_nothing(run):
    run.states().save(made_state(8))
    flip_a_bit(run.path / "checkpoints" / "8" / "made_with.json")
    before = contents(run)
    damaged, unfinished = load.load_model(run.path).warnings
    assert damaged == f"{run.path}/checkpoints/8: made_with.json changed; step 4 is used instead"
    assert "is not finished: it was saved at step 4 of" in unfinished
    assert contents(run) == before


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
    with pytest.raises(runs_directory.RunError, match=message):
        runs_directory.open_run(run.path)


def test_no_directory_no_state_no_model(tmp_path, run):
    with pytest.raises(InputError, match="no such run directory"):
        load.load_model(tmp_path / "absent")
    empty = runs_directory.create(tmp_path / "empty", TINY, STATISTICS, PROVENANCE)
    with pytest.raises(
        runs_directory.RunError, match="there is no model yet: nothing is saved since its first validation"
    ):
        load.load_model(empty.path)
    at_first = made_state(0)
    empty.states().save(at_first._replace(best=at_first.best._replace(loss=jnp.float32(jnp.inf))))
    with pytest.raises(
        runs_directory.RunError, match="there is no model yet: nothing is saved since its first validation"
    ):
        load.load_model(empty.path)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("config.json", ("encoder", "padding"), 2, "encoder.padding: checkpoint 3, config.json 2"),
        ("config.json", ("classes",), ["AGN", "SN"], r"classes: checkpoint \(AGN, SN, VS\), config.json \(AGN, SN\)"),
        ("statistics.json", ("static", "ra", "mean"), 0.5, r"static.ra.mean: checkpoint \S+, statistics.json 0.5"),
        ("provenance.json", ("data_hash",), "0", "data_hash: checkpoint made, provenance.json 0"),
    ],
)
def test_files_edited_since_are_refused_naming_both_sides(run, name, place, value, message):
    values = group = json.loads((run.path / name).read_text())
    for part in place[:-1]:
        group = group[part]
    group[place[-1]] = value
    (run.path / name).write_text(json.dumps(values))
    with pytest.raises(runs_directory.RunError, match=rf"checkpoints/4 was made with other settings: {message}$"):
        load.load_model(run.path)


def test_damage_is_named_where_the_state_before_has_no_model(tmp_path, run):
    """A short run keeps its first and its last state."""
    short = runs_directory.create(tmp_path / "short", TINY, STATISTICS, PROVENANCE)
    at_first = made_state(0)
    short.states().save(at_first._replace(best=at_first.best._replace(loss=jnp.float32(jnp.inf))))
    short.states().save(made_state(8))
    flip_a_bit(short.path / "checkpoints" / "8" / "made_with.json")
    with pytest.raises(runs_directory.RunError, match=r"no model yet: .*8: made_with\.json changed; step 0 is used"):
        load.load_model(short.path)
