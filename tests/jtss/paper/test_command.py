"""`python -m jtss.experiments table7` and its like: what is refused, what is promised, what a run leaves."""

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_experiments import MadeLaboratory
from helpers.made_sequences import sequences
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT, jtss
from jtss import dataset
from jtss.commands import paper
from jtss.dataset import Writer
from jtss.paper import durations, experiments, grids
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.store import Store
from jtss.paper.under_way import Begun, Spent, UnderWay
from jtss.training import step as training

COUNTS = 18 * [5] + 9 * [2]
LABEL = [i % 3 for i in range(27)]
SPLIT = [i // 3 % 3 for i in range(27)]


def write(path, counts, label=LABEL, split=SPLIT, magnitude=12):
    """A data file whose objects all have the same AllWISE magnitudes."""
    made = sequences(counts, label=label, split=split)
    made = replace(made, allwise=np.full((len(counts), 4), magnitude, np.float32))
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiments")
    write(folder / "whole.h5", COUNTS)
    write(folder / "short.h5", [2] * 27)
    write(folder / "no_sn.h5", COUNTS, [2 * (i % 2) for i in range(27)])
    write(folder / "blind.h5", COUNTS, magnitude=np.nan)
    write(folder / "five.h5", [1] * 45, [i % 5 for i in range(45)], [i // 5 % 3 for i in range(45)])
    (folder / "text.h5").write_text("no HDF5")
    return folder


@pytest.fixture
def laboratory(monkeypatch, folder):
    """Everything but the training; it remembers what it would have trained."""
    made = MadeLaboratory()

    def laboratory(path, *_, **__):
        made.data_hash = str(dataset.attributes(path)["content_hash"])
        return made

    monkeypatch.setattr(experiments, "Laboratory", laboratory)
    monkeypatch.setattr(durations, "seconds", lambda cells, n_validation: 60.0 * len(cells))
    return made


@pytest.fixture
def handlers():
    """What the program does to signals is undone."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def call(folder, laboratory, handlers, tmp_path, capsys):
    def call(name, file, *options):
        """Exit status, stdout, stderr."""
        status = jtss("paper", name, "--data", folder / file, "--out", tmp_path / "out", *options)
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("table7", "none.h5", "none.h5: no such file"),
        ("table7", "text.h5", "text.h5: not a readable HDF5 file"),
        (
            "table7",
            "short.h5",
            "train objects with 3 or more detections: AGN 0, SN 0, VS 0; expected some of each class (the longest",
        ),
        ("table8", "no_sn.h5", "SN 0, VS"),
        (
            "table7",
            "blind.h5",
            "no object has AllWISE magnitudes, expected some: 2 alerts, with AllWISE reads W1-W2, W2-W3",
        ),
        (
            "table2",
            "whole.h5",
            "with 1 or more detections: AGN 3, SN 3, VS 3, asteroid 0, bogus 0; expected some of each",
        ),
        ("bogus", "five.h5", "3 test objects of class bogus, none with 2 detections"),
    ],
)
def test_a_file_that_lacks_something_is_refused_before_any_training(call, laboratory, tmp_path, name, file, message):
    status, out, err = call(name, file)
    assert (status, out) == (2, "")
    assert err.startswith("jtss: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert laboratory.trained == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "soon"], "soon: expected a time as 90s, 20m or 1h30m"),
        (["--n", "two"], "two: expected numbers as 2,3"),
        (["--seeds", "-1"], "error: --seeds -1: expected at least 1"),
        (["--set", "training.nothing=1"], "error: --set training.nothing: no field 'nothing'"),
    ],
)
def test_options_that_mean_nothing_are_refused(call, options, message):
    status, _, err = call("table7", "whole.h5", *options)
    assert status == 2
    assert message in err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400)])
def test_a_budget_is_a_time(text, seconds):
    assert paper._duration(text) == seconds


def test_a_dry_run_says_what_is_missing_and_trains_nothing(call, laboratory, tmp_path):
    call("table7", "whole.h5", "--n", "2", "--seeds", "2")
    status, out, _ = call("table7", "whole.h5", "--n", "2,3", "--seeds", "2", "--dry-run")
    assert status == 0
    left_out = "loading, compiling and what patience adds not counted"
    assert out.splitlines() == [
        "2 alerts, without AllWISE: complete",
        "2 alerts, with AllWISE: complete",
        "3 alerts, without AllWISE: seeds 0, 1",
        "3 alerts, with AllWISE: seeds 0, 1",
        f"4 of 8 cells are missing: at least 4 min here, one seed after another; {left_out}",
    ]
    assert len(laboratory.trained) == 4


def test_a_table_says_on_what_and_how_it_was_measured(call, folder, laboratory, tmp_path):
    _, out, err = call("table7", "whole.h5", "--seeds", "2", "--n", "3", "--set", "training.iterations=20")
    assert err == ""
    text = " ".join(out.split())
    for note in (
        "Narrowed: n = 3 only, of 2, 3, 4, 5.",
        "Altered: 2 seeds, the paper has 5.",
        "Altered for every network: training.iterations=20.",
        f"Measured on the test split of {folder}/whole.h5 (made; content hash {laboratory.data_hash}; made by a test).",
        "they cannot be compared",
        "Made by: python -m jtss.experiments table7",
    ):
        assert note in text
    assert "MISSING" not in text
    with open(tmp_path / "out" / "table7.csv") as file:
        assert len(list(csv.DictReader(file))) == 1


def test_going_on_trains_what_is_missing_only(call, laboratory):
    call("table7", "whole.h5", "--seeds", "1")
    assert len(laboratory.trained) == 8
    _, out, _ = call("table7", "whole.h5", "--seeds", "3")
    assert len(laboratory.trained) == len(set(laboratory.trained)) == 24
    assert "MISSING" not in out


def test_without_time_the_table_says_what_is_missing(call, laboratory):
    status, out, _ = call("table7", "whole.h5", "--budget", "0s")
    assert status == 0
    assert laboratory.trained == []
    assert "MISSING: 40 of 40 cells: 2 alerts, without AllWISE (5 of 5 seeds);" in out
    assert "and 2 more configurations" in " ".join(out.split())
    assert "Stopped before the end; the same command goes on." in out


def test_what_is_begun_is_counted_as_missing_and_said_to_be_begun(call, folder, tmp_path):
    data_hash = str(dataset.attributes(folder / "whole.h5")["content_hash"])
    setups = EXPERIMENTS["table7"].grid(choose("table7", EXPERIMENTS["table7"].extent, n=[2], seeds=3))
    state = training.init_state(setups[1].config)
    for seed, step in ((0, 1200), (2, 20)):
        begun = Begun(state._replace(step=np.int32(step)), Spent())
        UnderWay(tmp_path / "out" / "under_way" / "table7", pytest.fail).save(
            grids.of(setups[1], data_hash)[seed], begun
        )
    narrowed = ["--n", "2", "--seeds", "3"]
    _, out, _ = call("table7", "whole.h5", *narrowed, "--dry-run")
    assert out.splitlines()[:2] == [
        "2 alerts, without AllWISE: seeds 0, 1, 2",
        "2 alerts, with AllWISE: seeds 0 (at step 1,200), 1, 2 (at step 20)",
    ]
    _, out, _ = call("table7", "whole.h5", *narrowed, "--budget", "0s")
    assert "2 of these are begun and will go on from the last saved step." in " ".join(out.split())


def test_results_on_other_data_are_left_out_and_counted(call, folder):
    call("table7", "whole.h5", "--n", "2", "--seeds", "1")
    _, out, _ = call("table7", "short.h5", "--n", "2", "--seeds", "1")
    assert "2 results on other data in the same store are left out" in " ".join(out.split())


def test_a_damaged_line_is_named_and_trained_again(call, laboratory, tmp_path):
    call("table7", "whole.h5", "--n", "2", "--seeds", "1")
    path = tmp_path / "out" / "table7.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first[:50]}\n{second}\n")
    _, out, err = call("table7", "whole.h5", "--n", "2", "--seeds", "1")
    assert f"WARNING: {path}, line 1: damaged (no JSON" in err
    assert "MISSING" not in out
    assert len(laboratory.trained) == 3


def test_figure_6_and_table_6_share_their_results(call, laboratory):
    narrowed = ["--n", "2", "--models", "tdnn,conv1d", "--seeds", "1"]
    call("figure6", "whole.h5", *narrowed)
    call("table6", "whole.h5", *narrowed)
    assert len(laboratory.trained) == 2


@pytest.mark.slow
def test_table_7_from_a_simulated_sky_is_stopped_and_goes_on_in_two_processes(tmp_path):
    def start(*words):
        return subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=ENVIRONMENT, text=True, **pipes)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    simulated = start("data_prep", "simulate", "--objects", "200", "--seed", "5", "--out", str(tmp_path / "sky.h5"))
    assert simulated.wait(600) == 0
    settings = [
        "training.iterations=40",
        "training.patience=0",
        "training.batch_size=32",
        "training.learning_rate=1e-2",
    ]
    words = ["jtss.experiments", "table7", "--data", str(tmp_path / "sky.h5"), "--out", str(tmp_path / "out")]
    words += ["--n", "2,3", "--seeds", "2", *(part for setting in settings for part in ("--set", setting))]
    store = Store(tmp_path / "out" / "table7.jsonl")

    first = start(*words)
    while first.poll() is None and not store.path.exists():
        time.sleep(0.1)
    first.kill()
    first.wait(60)
    n_first = len(store.read()[0])
    assert n_first >= 1

    both = [start(*words), start(*words)]
    outputs = [process.communicate(timeout=900) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    found, damaged = store.read()
    lines = [line for line in store.path.read_text().splitlines() if line]
    assert (len(found), len(lines) - len(damaged)) == (8, 8)  # none twice
    assert sum("MISSING" not in out for out, _ in outputs) >= 1  # the last one has all
    assert not list((tmp_path / "out" / "claims").glob("*.claim"))
    with open(tmp_path / "out" / "table7.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["alerts"] for row in rows] == ["2", "3"]
    assert all(float(row["here: with [%]"]) > 50 for row in rows)


@pytest.mark.slow
def test_the_other_tables_scaled_down_are_trained_from_a_simulated_sky(handlers, tmp_path, capsys):
    """Networks too narrow and trainings too short to learn: all roads from stamps to the page are walked."""
    sky, out = tmp_path / "sky.h5", tmp_path / "out"
    classes = "AGN,SN,VS,asteroid,bogus"
    simulate = ["data_prep", "simulate", "--objects", "200", "--seed", "5", "--classes", classes, "--out", str(sky)]
    subprocess.run([sys.executable, "-m", *simulate], cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    settings = ["iterations=4", "patience=0", "batch_size=8", "validate_every=2"]
    scaled = [f"training.{setting}" for setting in settings] + ["encoder.filters=2,2,2,2,2"]
    narrowed = {
        "table2": ["--models", "M_b"],
        "table6": ["--n", "2", "--models", "conv1d"],
        "table8": ["--n", "3"],
        "figure6": ["--n", "2", "--models", "conv1d"],
    }
    for name, options in narrowed.items():
        options = [*options, "--seeds", "2", *(part for setting in scaled for part in ("--set", setting))]
        assert jtss("paper", name, "--data", sky, "--out", out, *options) == 0
        printed = capsys.readouterr().out
        assert "MISSING" not in printed
        assert f"{name}.html" in printed
    trained = [list(Store(out / f"{name}.jsonl").read()[0].values()) for name in ("table6", "table8", "table2")]
    assert [len(found) for found in trained[:2]] == [2, 2]
    for result in (result for found in trained for result in found):
        assert result.steps == 4
        assert len(result.truth) == np.sum(result.confusion) > 0
    with open(out / "figure6.csv") as file:
        (row,) = csv.DictReader(file)
    assert float(row["here: time [ms]"]) > 0
