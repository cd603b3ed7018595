"""The export of a model of packets needs the data set that it was trained on, wherever that is now."""

import json
import re
import shutil

import pytest

from helpers.made_models import made_model, run_of_packets
from helpers.made_runs import write_data
from helpers.programs import jtss
from jtss.dataset import DataError
from jtss.pretrained import file
from jtss.pretrained.file import ModelError
from jtss.reports import export

NAME = "packets"


@pytest.fixture
def folder(tmp_path):
    return run_of_packets(tmp_path)


def test_data_that_have_moved_are_named(folder, capsys):
    where = folder / "moved" / "sky.h5"
    where.parent.mkdir()
    shutil.move(folder / "made.h5", where)
    words = ("models", "export", folder / "run", "--name", NAME, "--folder", folder / "files")
    assert jtss(*words) == 2
    said = capsys.readouterr().err
    assert f"{folder / 'made.h5'}: no such file, expected the data set that {folder / 'run'} was trained on" in said
    assert "(a test): name it by --data F.h5" in said
    assert not (folder / "files").exists()
    assert jtss(*words, "--data", where) == 0
    known = file.load(NAME, folder / "files").known_alerts
    assert (known.fitted.sum(), known.held_out.sum()) == (30, 30)
    card = (folder / "files" / f"{NAME}.md").read_text()
    for text in (
        "## Unusual and uncertain alerts",
        "the share of 30 held-out alerts (6 AGN, 6 SN, 6 VS, 6 asteroid, 6 bogus), one of each object",
        "are of 30 training alerts (6 AGN,",
        "It is no discovery",
        f"`jtss classify ALERTS -m {NAME} --coverage 0.9`",
    ):
        assert text in card
    assert re.search(r"Levels by coverage: 0\.\d{4} for 99 %, 0\.\d{4} for 95 %, .* for 50 %\.", card)


def test_other_data_are_refused(folder):
    write_data(folder / "other.h5")
    with pytest.raises(DataError, match=r"other.h5: content hash .*, expected .*run was trained on"):
        export.export(folder / "run", NAME, folder / "files", data=[folder / "other.h5"])
    assert not (folder / "files").exists()


def test_a_model_of_sequences_needs_none(tmp_path):
    folder = made_model(tmp_path, "tiny")
    (folder / "made.h5").rename(folder / "gone.h5")
    export.export(folder / "run", "tiny", folder / "again")
    assert "## Unusual" not in (folder / "again" / "tiny.md").read_text()
    with pytest.raises(ModelError, match=r"--data .*gone.h5: .*run is a model of sequences, expected one of packets"):
        export.export(folder / "run", "tiny", folder / "again", data=[folder / "gone.h5"])


def test_what_the_outlier_score_finds_is_measured_of_a_model_that_has_one(folder, capsys):
    words = ("--data", folder / "made.h5", "--split", "validation", "--ablations", "--out", folder / "report")
    assert jtss("evaluate", folder / "run", *words) == 0
    assert "unusual" not in json.loads((folder / "report" / "report.json").read_text())
    export.export(folder / "run", NAME, folder / "files", data=[folder / "made.h5"])
    assert jtss("evaluate", folder / "files" / f"{NAME}.h5", *words) == 0
    assert "what the outlier score finds, among 30 known objects" in capsys.readouterr().out
    unusual = json.loads((folder / "report" / "report.json").read_text())["unusual"]
    assert unusual["known"]["objects"] == 30
    assert len(unusual["unusual"]) == 5
    assert "What the outlier score finds" in (folder / "report" / "report.html").read_text()
