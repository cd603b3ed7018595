"""`jtss data import btsbot`, from the files of the set to a trained and evaluated network."""

import csv
import json

import pytest

from helpers import made_btsbot
from helpers.programs import jtss, make

TINY = [
    "stamp.crop=5",
    "encoder.filters=2,2,3,3,3",
    "training.batch_size=8",
    "training.validate_every=5",
    "training.iterations=5",
]
SETS = {"AGN": ("vars", 0, False), "SN": ("trues", 1, True), "VS": ("vars", 0, False)}
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A simulated sky in the form of the set, with its splits, and labels that tell AGN from VS."""
    folder = tmp_path_factory.mktemp("published")
    assert jtss("data", "simulate", "--objects", 36, "--seed", 5, "--workers", 1, "--packets", folder / "sky") == 0
    with (folder / "sky" / "labels.csv").open() as file:
        label = {row["objectId"]: row["label"] for row in csv.DictReader(file)}
    said = {}
    for i, (name, class_name) in enumerate(sorted(label.items())):
        origin, is_bright, is_sn = SETS[class_name]
        said[name] = {"source_set": origin, "label": is_bright, "is_SN": is_sn, "split": SPLITS[i % 3], "N": 1}
    return made_btsbot.write(folder, made_btsbot.read_records(folder / "sky" / "alerts"), said)


@pytest.mark.slow
def test_from_the_set_to_an_evaluated_network(published, tmp_path, capsys):
    out, labels = tmp_path / "real.h5", published.triplets.parent / "sky" / "labels.csv"
    assert jtss("data", *published.options(out, "--labels", labels)) == 0
    said = capsys.readouterr()
    assert "splits as the set has them, for test / validation: AGN 4 / 4, SN 4 / 4, VS 4 / 4" in said.out
    assert "audit: 0 leaks" in said.out
    assert jtss("data", "inspect", out) == 0
    assert "from BTSbot training set (Rehemtulla et al. 2024" in capsys.readouterr().out
    assert jtss("audit", out) == 0
    settings = [word for setting in TINY for word in ("--set", setting)]
    run = tmp_path / "run"
    assert jtss("train", "demo", "--data", out, "--out", run, *settings) == 0
    assert jtss("evaluate", "-m", run, "--out", tmp_path / "report") == 0
    report = json.loads(next((tmp_path / "report").rglob("report.json")).read_text())
    assert "jtss data import btsbot" in json.dumps(report)


@pytest.mark.slow
def test_one_command_leads_from_the_set_to_an_evaluated_network(published, tmp_path):
    settings = " ".join(f"--set {setting}" for setting in TINY)
    files = {"TRIPLETS": published.triplets, "CANDIDATES": published.candidates}
    labels = f"--labels {published.triplets.parent / 'sky' / 'labels.csv'}"
    said = make("real-btsbot", **files, IMPORT=labels, REAL=tmp_path / "real", CONFIG="demo", SETTINGS=settings)
    assert "splits as the set has them, for test / validation: AGN 4 / 4, SN 4 / 4, VS 4 / 4" in said
    report = json.loads((tmp_path / "real" / "run" / "evaluation" / "report.json").read_text())
    assert "jtss data import btsbot" in json.dumps(report)


def test_faults_are_one_line(published, tmp_path, capsys):
    capsys.readouterr()
    cut = tmp_path / "cut.npy"
    cut.write_bytes(published.triplets.read_bytes()[:-1000])
    words = published._replace(triplets=cut).options(tmp_path / "real.h5")
    assert jtss("data", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{cut}: {cut.stat().st_size} bytes that are no complete array of numbers" in line
    assert not (tmp_path / "real.h5").exists()
    assert jtss("data", "import", "btsbot", "--help") == 0
    assert "--force replace files that exist" in " ".join(capsys.readouterr().out.split())
