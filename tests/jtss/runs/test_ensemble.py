"""The folder of an ensemble's seeds is read as it was written, and what damages it is named."""

import json
import os

import pytest

from jtss.config import named
from jtss.runs import ensemble as runs_seeds


def made(tmp_path, text, *seeds):
    (tmp_path / "repeats.json").write_text(text)
    for seed in seeds:
        (tmp_path / f"seed-{seed}").mkdir()
    return tmp_path


def test_the_folder_is_read_in_order(tmp_path):
    path = made(tmp_path, json.dumps({"config": "demo", "seeds": [2, 0]}), 0, 2)
    assert runs_seeds.is_ensemble(path)
    assert list(runs_seeds.seed_directories(path).items()) == [(2, path / "seed-2"), (0, path / "seed-0")]


def test_a_run_directory_is_no_folder_of_repeats(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert not runs_seeds.is_ensemble(tmp_path)
    assert not runs_seeds.is_ensemble(tmp_path / "none")


def test_a_start_that_was_killed_can_be_repeated(tmp_path, monkeypatch):
    path = tmp_path / "run"
    runs_seeds.require_new(path)
    (path / "seed-0").mkdir(parents=True)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            runs_seeds.write(path, named.get("demo"), [0, 1], 2)
    runs_seeds.require_new(path)
    runs_seeds.write(path, named.get("demo"), [0, 1], 2)
    assert (runs_seeds.seeds_at_once(path), sorted(os.listdir(path))) == (2, ["repeats.json", "seed-0"])
    with pytest.raises(FileExistsError, match="holds an ensemble; go on with it by: jtss train --resume"):
        runs_seeds.require_new(path)


def test_repeats_are_not_begun_among_other_things(tmp_path):
    (tmp_path / ".other.partial").touch()
    with pytest.raises(FileExistsError, match="exists and is no folder of an ensemble"):
        runs_seeds.require_new(tmp_path)


def test_of_several_processes_the_first_looks_and_writes(tmp_path, monkeypatch):
    (tmp_path / "mine").touch()
    monkeypatch.setattr("jax.process_index", lambda: 1)
    runs_seeds.require_new(tmp_path)
    runs_seeds.write(tmp_path, named.get("demo"), [0, 1], 2)
    assert os.listdir(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "repeats.json: damaged"),
        ("[]", "repeats.json: damaged"),
        ('{"seeds": ["x"]}', "repeats.json: damaged"),
        ('{"seeds": "03"}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [0, 0]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [false]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ('{"seeds": [Infinity]}', "repeats.json: damaged .*expected a list of integers, each once"),
        ("[" * 100_000, "repeats.json: damaged"),
        ('{"seeds": []}', "a seed is missing"),
        ('{"seeds": [0, 1, 2]}', "repeats.json: seed-1, seed-2 is missing"),
    ],
)
def test_a_damaged_folder_is_named(tmp_path, text, message):
    with pytest.raises(runs_seeds.EnsembleError, match=message) as caught:
        runs_seeds.seed_directories(made(tmp_path, text, 0))
    assert "\n" not in str(caught.value)
