"""The command: two folders of packets to tables and pictures, or an error that names what cannot be compared."""

import csv

import numpy as np
import pytest
from matplotlib.image import imread

from data_prep.__main__ import main
from data_prep.compare.comparison import choose, clipped
from data_prep.compare.samples import VALUE_NAMES
from helpers.made_comparisons import many, packets, sample


def test_command_writes_tables_and_pictures(tmp_path, capsys):
    """The planted shift leads the table; a class that one side lacks is named, and stops nothing."""
    real = packets(tmp_path / "real", many("AGN") | many("SN"), seed=1)
    simulated = packets(tmp_path / "simulated", many("AGN") | many("VS"), seed=2, rb=0.1)
    out = tmp_path / "new" / "out"
    assert main(["compare", "--simulated", str(simulated), "--real", str(real), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert f"real: {real}: 24 of 24 alerts compared\n" in text
    assert "AGN: 12 real alerts of 6 objects, 12 simulated alerts of 6 objects: " in text
    assert "SN: 12 real alerts of 6 objects, 0 simulated alerts of 0 objects: not compared" in text
    assert "VS: 0 real alerts of 0 objects, 12 simulated alerts of 6 objects: not compared" in text
    assert f"all values: {out}/table.csv\nall correlations: {out}/correlations.csv\n" in text
    with (out / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["class"], rows[0]["value"], float(rows[0]["ks"])) == ("AGN", "rb", 1)
    assert (float(rows[0]["q50_real"]), float(rows[0]["q50_simulated"])) == (0.875, pytest.approx(0.1))
    assert len(rows) == len(VALUE_NAMES)
    with (out / "correlations.csv").open() as file:
        assert {row["class"] for row in csv.DictReader(file)} == {"AGN"}
    assert sorted(path.name for path in out.iterdir()) == ["correlations.csv", "gallery_AGN.png", "table.csv"]
    assert imread(out / "gallery_AGN.png").std() > 0.1


def test_gallery_shows_first_alerts_by_its_seed():
    real = sample(40, 0, alerts_each=3)
    real.values["mjd"][:] = np.tile([2.0, 1.0, 3.0], 40)
    chosen = choose(real, "SN", seed=1)
    assert len({name for name, _ in chosen}) == 12
    assert all(candid % 3 == 1 for _, candid in chosen)
    assert chosen == choose(real, "SN", seed=1) != choose(real, "SN", seed=2)


def test_gallery_scales_without_outliers_and_fills():
    image = np.random.default_rng(0).normal(100, 5, (63, 63)).astype(np.float32)
    image[0, :3] = [-3.4e38, np.nan, 1e6]
    scaled = clipped(image)
    assert np.isnan(scaled).sum() == 2
    assert np.nanmin(scaled) == 0
    assert np.nanmax(scaled) == scaled[0, 2] == 1
    assert np.nanstd(scaled) == pytest.approx(1 / (2.326 + 2.576), rel=0.05)
    assert not clipped(np.ones((63, 63))).any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("no folder", "nowhere: no such folder"),
        ("no labels", "labels.csv: no such file (labels)"),
        ("no alerts", "no alert of a labelled object among 0 alerts (none)"),
        ("others", "no alert of a labelled object among 12 alerts (12 other_label_or_grade)"),
        ("no class", "no class is in both folders"),
        ("out", "out is a file, expected a folder"),
    ],
)
def test_what_cannot_be_compared_is_named(tmp_path, capsys, spoil, message):
    real = packets(tmp_path / "real", many("SN"))
    simulated = packets(tmp_path / "simulated", many("SN" if spoil == "out" else "AGN"))
    if spoil == "no folder":
        simulated = tmp_path / "nowhere"
    elif spoil == "no labels":
        (real / "labels.csv").unlink()
    elif spoil == "no alerts":
        for path in (real / "alerts").iterdir():
            path.unlink()
    elif spoil == "others":
        (real / "labels.csv").write_text("objectId,label\nZTF99zz,SN\n")
    elif spoil == "out":
        (tmp_path / "out").write_text("")
    arguments = ["--simulated", str(simulated), "--real", str(real), "--out", str(tmp_path / "out")]
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_a_simulation_is_like_itself_under_another_seed(tmp_path, capsys):
    for seed in ("1", "2"):
        arguments = ["--objects", "300", "--classes", "AGN,SN,bogus", "--seed", seed]
        assert main(["simulate", *arguments, "--packets", str(tmp_path / seed)]) == 0
    folders = ["--simulated", str(tmp_path / "1"), "--real", str(tmp_path / "2")]
    assert main(["compare", *folders, "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(VALUE_NAMES)
    assert np.mean([float(row["excess"]) > 0 for row in rows]) < 0.1
