"""An experiment from its request to its tables: what is refused, what is promised, what stands under a table."""

import csv
import subprocess
import sys

import pytest

from helpers.made_experiments import MadeTrainer
from helpers.made_runs import write_data
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from jtss import dataset
from jtss.config.settings import ConfigError
from jtss.dataset import DataError
from jtss.paper import experiments, grids
from jtss.paper.experiments import EXPERIMENTS, TRAININGS, Request
from jtss.paper.grids import ChoiceError, choose
from jtss.paper.results import TEST
from jtss.runs import directory
from jtss.training import estimate
from jtss.training.trainer import NeverStop

COUNTS = 18 * [5] + 9 * [2]
LABEL = [i % 3 for i in range(27)]
SPLIT = [i // 3 % 3 for i in range(27)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiments")
    write_data(folder / "whole.h5", COUNTS, label=LABEL, split=SPLIT, magnitude=12)
    write_data(folder / "short.h5", [2] * 27, label=LABEL, split=SPLIT, magnitude=12)
    (folder / "text.h5").write_text("no HDF5")
    return folder


@pytest.fixture
def made(monkeypatch):
    """Everything but the training; it remembers what it would have trained."""
    monkeypatch.setattr(estimate, "grid_seconds", lambda left, n_validation: 60.0 * len(left))
    return MadeTrainer(monkeypatch)


@pytest.fixture
def call(folder, made, tmp_path):
    """A function that makes an experiment, or does so dry; returns what is said, line by line, and the warnings."""

    def call(name, file, *, dry=False, out=tmp_path / "out", **narrowed):
        said, warned = [], []
        request = Request(name, folder / file, out, command="python -m made", **narrowed)
        if dry:
            experiments.dry_run(request, said.append, warned.append)
        else:
            experiments.perform(request, NeverStop(), said.append, warned.append)
        return said, warned

    return call


def table(said):
    """The last that is said, in one line."""
    return " ".join(said[-1].split())


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("table7", "none.h5", "none.h5: no such file"),
        ("table7", "text.h5", "text.h5: not a readable HDF5 file"),
        (
            "table7",
            "short.h5",
            "train objects with 3 or more detections: AGN 0, SN 0, VS 0; expected some of each class",
        ),
    ],
)
def test_a_file_that_lacks_something_is_refused_before_any_training(call, made, tmp_path, name, file, message):
    with pytest.raises(DataError, match=message):
        call(name, file)
    assert made.trained == []
    assert not (tmp_path / "out").exists()


def test_a_part_or_a_setting_that_is_not_there_is_refused(call):
    with pytest.raises(ChoiceError, match="--seeds -1: expected at least 1"):
        call("table7", "whole.h5", seeds=-1)
    with pytest.raises(ConfigError, match=r"--set training.nothing: no field 'nothing'"):
        call("table7", "whole.h5", settings=("training.nothing=1",))


def test_a_dry_run_says_what_is_missing_and_trains_nothing(call, made, tmp_path):
    call("table7", "whole.h5", n=(2,), seeds=2)
    said, _ = call("table7", "whole.h5", n=(2, 3), seeds=2, dry=True)
    left_out = "loading, compiling and what patience adds not counted"
    assert said == [
        "2 alerts, without AllWISE: complete",
        "2 alerts, with AllWISE: complete",
        "3 alerts, without AllWISE: seeds 0, 1",
        "3 alerts, with AllWISE: seeds 0, 1",
        f"4 of 8 trainings are missing: at least 4 min here, one after another; {left_out}",
    ]
    assert len(made.trained) == 4
    assert sum(path.is_dir() for path in (tmp_path / "out" / TRAININGS).iterdir()) == 4


def test_a_dry_run_counts_what_is_left_of_each_training(call, monkeypatch, folder, tmp_path):
    begin(tmp_path / "out", folder / "whole.h5", {0: 1200, 2: 20})
    asked = []
    monkeypatch.setattr(estimate, "grid_seconds", lambda left, n: asked.append((left, n)) or 0)
    said, _ = call("table7", "whole.h5", n=(2, 5), seeds=3, dry=True)
    assert said[1] == "2 alerts, with AllWISE: seeds 0 (at step 1,200), 1, 2 (at step 20)"
    ((left, n_validation),) = asked
    assert [iterations for _, iterations in left][3:6] == [28_800, 30_000, 29_980]
    assert n_validation == 6  # of those with five detections


def begin(out, path, steps):
    """Saved states, as far as their names go, of seeds of Table 7 for two alerts with AllWISE."""
    extent = EXPERIMENTS["table7"].extent
    setup = EXPERIMENTS["table7"].grid(choose("table7", extent, n=[2], seeds=3))[1]
    trials = grids.trials(setup, str(dataset.attributes(path)["content_hash"]))
    for seed, step in steps.items():
        (out / TRAININGS / trials[seed].id / directory.CHECKPOINTS / str(step)).mkdir(parents=True)


def test_what_is_begun_is_counted_as_missing_and_said_to_be_begun(call, folder, tmp_path):
    begin(tmp_path / "out", folder / "whole.h5", {0: 1200, 2: 20})
    said, _ = call("table7", "whole.h5", n=(2,), seeds=3, budget=0)
    assert "MISSING: 6 of 6 trainings" in table(said)
    assert "2 of these are begun and will go on from the last saved step." in table(said)


def test_a_table_says_on_what_and_how_it_was_measured(call, folder, tmp_path):
    said, warned = call("table7", "whole.h5", seeds=2, n=(3,), settings=("training.iterations=20",))
    assert warned == []
    data_hash = dataset.attributes(folder / "whole.h5")["content_hash"]
    for note in (
        "Narrowed: n = 3 only, of 2, 3, 4, 5.",
        "Altered: 2 seeds, the paper has 5.",
        "Altered for every network: training.iterations=20.",
        f"Measured on the test split of {folder}/whole.h5 (made; content hash {data_hash}; made by a test).",
        "they cannot be compared",
        "Made by: python -m made",
    ):
        assert note in table(said)
    assert "MISSING" not in table(said)
    with open(tmp_path / "out" / "table7.csv") as file:
        assert len(list(csv.DictReader(file))) == 1


def test_going_on_trains_what_is_missing_only(call, made):
    call("table7", "whole.h5", seeds=1)
    assert len(made.trained) == 8
    said, _ = call("table7", "whole.h5", seeds=3)
    assert len(made.trained) == len(set(made.trained)) == 24
    assert "MISSING" not in table(said)


def test_without_time_the_table_says_what_is_missing(call, made):
    said, _ = call("table7", "whole.h5", budget=0)
    assert made.trained == []
    assert "MISSING: 40 of 40 trainings: 2 alerts, without AllWISE (5 of 5 seeds);" in table(said)
    assert "and 2 more configurations" in table(said)
    assert "Stopped before the end; the same command goes on." in table(said)


def test_the_run_directory_of_each_training_is_listed(call, made, tmp_path):
    call("table7", "whole.h5", n=(2,), seeds=2)
    with open(tmp_path / "out" / "table7-trainings.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["run directory"] for row in rows] == [f"{TRAININGS}/{name}" for name in made.trained]
    assert [(row["configuration"], row["seed"]) for row in rows[:3:2]] == [
        ("2 alerts, without AllWISE", "0"),
        ("2 alerts, with AllWISE", "0"),
    ]


def test_what_failed_stands_under_the_table(call, made):
    made.failing = [(2, 0)]
    said, warned = call("table7", "whole.h5", n=(2,), seeds=2)
    assert len(warned) == 2
    assert "FAILED: 2 alerts, with AllWISE, seed 0: training loss is nan." in table(said)
    assert "MISSING: 2 of 4 trainings" in table(said)


def test_trainings_on_other_data_are_others(call, made):
    call("table7", "whole.h5", n=(2,), seeds=1)
    said, _ = call("table7", "short.h5", n=(2,), seeds=1, budget=0)
    assert "MISSING: 2 of 2 trainings" in table(said)


def test_a_damaged_result_is_named_and_tested_again(call, made, tmp_path):
    call("table7", "whole.h5", n=(2,), seeds=1)
    path = tmp_path / "out" / TRAININGS / made.trained[0] / TEST
    path.write_text(path.read_text()[:50])
    said, (warning,) = call("table7", "whole.h5", n=(2,), seeds=1)
    assert warning.startswith(f"{path}: damaged (no JSON")
    assert "MISSING" not in table(said)
    assert made.tested == [*made.trained[:2], made.trained[0]]


def test_experiments_share_their_trainings(call, made):
    call("figure6", "whole.h5", n=(2,), models=("tdnn", "conv1d"), seeds=1)
    call("table6", "whole.h5", n=(2,), models=("tdnn", "conv1d"), seeds=1)
    assert len(made.trained) == 2


def test_what_an_earlier_version_left_is_named(call, tmp_path):
    out = tmp_path / "out"
    (out / "under_way").mkdir(parents=True)
    (out / "table7.jsonl").write_text("{}\n{}\n")
    _, warnings = call("table7", "whole.h5", n=(2,), seeds=1)
    assert warnings == [
        f"2 results of an earlier version in {out}/table7.jsonl are not used",
        f"what an earlier version began in {out}/under_way is not gone on with",
    ]


@pytest.mark.slow
def test_the_tables_scaled_down_are_trained_from_a_simulated_sky(tmp_path):
    """Networks too narrow and trainings too short to learn: all roads from stamps to the page are walked."""
    sky, out, said = tmp_path / "sky.h5", tmp_path / "out", []
    classes = "AGN,SN,VS,asteroid,bogus"
    simulate = ["data_prep", "simulate", "--objects", "200", "--seed", "5", "--classes", classes, "--out", str(sky)]
    subprocess.run([sys.executable, "-m", *simulate], cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    scaled = ("iterations=4", "patience=0", "batch_size=8", "validate_every=2")
    settings = (*(f"training.{setting}" for setting in scaled), "encoder.filters=2,2,2,2,2")
    for name, narrowed in {
        "table2": {"models": ("M_b",)},
        "table6": {"n": (2,), "models": ("conv1d",)},
        "table8": {"n": (3,)},
        "figure6": {"n": (2,), "models": ("conv1d",)},
    }.items():
        request = Request(name, sky, out, settings, seeds=2, **narrowed)
        written, _ = experiments.perform(request, NeverStop(), said.append, pytest.fail)
        assert "MISSING" not in said[-1]
        assert out / f"{name}.html" in written
    assert len(list((out / TRAININGS).glob(f"*/{TEST}"))) == 6
    with open(out / "figure6.csv") as file:
        (row,) = csv.DictReader(file)
    assert float(row["here: time [ms]"]) > 0
