"""The script with models that ship: by name, without data or training."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_runs import TINY, caller, make_run, write_data
from helpers.make_packets import night, save
from jtss.config import named
from jtss.config.settings import StampConfig
from jtss.pretrained import file
from jtss.reports import export

FIRST = replace(
    named.get("n1_baseline"), stamp=StampConfig(crop=21, copies=1, rotation_range_deg=0), encoder=TINY.encoder
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sequence model and a screener that calls everything bogus, each as a run and as shipped; data and packets."""
    folder = tmp_path_factory.mktemp("shipped")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    make_run(folder / "run1", FIRST, folder / "made.h5", favoured="bogus")
    export.export(folder / "run", "tiny", folder / "files")
    export.export(folder / "run1", "tiny1", folder / "files")
    save(folder / "packets", night())
    return folder


@pytest.fixture
def evaluate(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    return caller(Path(), monkeypatch, capsys)


def test_by_name_alerts_get_the_table_that_the_run_gives(evaluate, folder, tmp_path):
    assert evaluate("--alerts", folder / "packets", "--out", "a.csv", ckpt=str(folder / "run"))[0] == 0
    assert evaluate("--alerts", folder / "packets", "--out", "b.csv", ckpt="tiny")[0] == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_the_screener_may_ship_too(evaluate, folder, tmp_path):
    given = ("--alerts", folder / "packets", "--screen-bogus")
    assert evaluate(*given, folder / "run1", "--out", "a.csv", ckpt="tiny")[0] == 0
    assert evaluate(*given, "tiny1", "--out", "b.csv", ckpt="tiny")[0] == 0
    table = (tmp_path / "b.csv").read_text()
    assert "screened_bogus" in table
    assert table == (tmp_path / "a.csv").read_text()
    status, _, err = evaluate(*given, "tiny", ckpt="tiny")
    assert status == 2
    assert "tiny: config demo has n_detections=3" in err


@pytest.mark.parametrize(("ckpt", "reads_colours"), [("tiny", True), ("tiny1", False)])
def test_a_catalogue_is_missed_only_by_a_model_that_reads_colours(evaluate, folder, ckpt, reads_colours):
    status, _, err = evaluate("--alerts", folder / "packets", ckpt=ckpt)
    assert status == 0
    assert ("no --allwise given" in err) == reads_colours


def test_a_report_lies_in_this_folder_and_has_no_section_of_training(evaluate, folder, tmp_path):
    status, out, _ = evaluate("--data", folder / "made.h5", ckpt="tiny")
    assert status == 0
    assert "report: tiny-evaluation/report.html" in out
    found = json.loads((tmp_path / "tiny-evaluation" / "report.json").read_text())
    assert found["model"]["run"] == "tiny"
    assert found["data"]["is_training_file"] is True
    page = (tmp_path / "tiny-evaluation" / "report.html").read_text()
    assert "<h2>Calibration" in page
    assert "<h2>Training" not in page


@pytest.mark.parametrize(
    ("ckpt", "arguments", "message"),
    [
        (
            "tiny",
            [],
            "tiny is pretrained, without the data it was trained on; name a data set by --data F.h5, or classify",
        ),
        (
            "made.h5",
            ["--alerts", "."],
            "made.h5: not a directory; expected a run directory or the name of a pretrained model;",
        ),
        ("n9", [], "n9: no such run directory and no pretrained model; pretrained models: tiny, tiny1"),
        ("n9", ["--alerts", "."], "n9: no such run directory and no pretrained model; pretrained models: tiny, tiny1"),
    ],
)
def test_mistakes_get_one_line(evaluate, tmp_path, ckpt, arguments, message):
    (tmp_path / "made.h5").touch()  # named as the data of the training, and not meant
    status, _, err = evaluate(*arguments, ckpt=ckpt)
    assert (status, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"evaluate.py: error: {message}")
