"""Two folders of packets to tables and pictures: what differs is found, what does not is not, votes are by object."""

import csv

import numpy as np
import pytest
from matplotlib.image import imread

from data_prep.__main__ import main
from data_prep.compare.comparison import choose, clipped
from data_prep.compare.samples import VALUE_NAMES, Sample, read_sample
from data_prep.compare.tables import compare_pairs, compare_values, count, pairs_text, values_text
from data_prep.ledger import Ledger
from helpers.make_packets import CANDIDATE, alert, images, save


def sample(n_objects: int, seed: int, label: str = "SN", alerts_each: int = 1) -> Sample:
    """Objects whose values are normal; an object's alerts have the same values."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(n_objects), alerts_each)
    return Sample(
        {name: rng.normal(size=n_objects)[owner] for name in VALUE_NAMES},
        object_id=np.array([f"ZTF{i:04d}" for i in owner]),
        label=np.full(len(owner), label),
        candid=np.arange(len(owner)),
        weight=np.full(len(owner), 1 / alerts_each),
        ledger=Ledger(),
    )


def test_samples_of_one_distribution_differ_by_chance_alone():
    rows = compare_values(sample(80, 0), sample(200, 1), "SN")
    assert {row.name for row in rows} == set(VALUE_NAMES)
    assert np.mean([row.excess > 0 for row in rows]) < 0.12


def test_what_is_shifted_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    simulated.values["chinr"] += 1.5
    simulated.values["noise_template"] *= 6
    rows = compare_values(real, simulated, "SN")
    assert [row.name for row in rows[:2]] == ["chinr", "noise_template"]
    assert rows[0].wasserstein == pytest.approx(1.5 / 1.35, abs=0.25)
    assert rows[0].quantiles[1][2] - rows[0].quantiles[0][2] == pytest.approx(1.5, abs=0.3)
    lines = values_text(rows).splitlines()
    assert [line.split()[0] for line in lines[1:4:2]] == ["chinr", "noise_template"]
    assert len(lines) == 1 + 2 * sum(row.excess > 0 for row in rows) < 20
    assert values_text([row for row in rows if row.excess <= 0]) == "no value beyond chance"


def test_what_is_missing_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    simulated.values["sgscore1"][:120] = np.nan
    simulated.values["distnr"][3:] = np.nan  # too few are left for a distance
    first, second = compare_values(real, simulated, "SN")[:2]
    assert (first.name, first.missing) == ("distnr", (0, pytest.approx(197 / 200)))
    assert np.isnan(first.ks)
    assert (second.name, second.missing) == ("sgscore1", (0, pytest.approx(0.6)))
    assert second.objects == (80, 80)


def test_an_object_has_one_vote():
    """Ten alerts of each object change nothing; ten alerts of one object weigh as much as its one did."""
    real, once, often = sample(80, 0), sample(50, 1), sample(50, 1, alerts_each=10)
    for a, b in zip(compare_values(real, once, "SN"), compare_values(real, often, "SN"), strict=True):
        assert (a.name, a.ks, a.ks_chance) == (b.name, pytest.approx(b.ks), b.ks_chance)
    for a, b in zip(compare_pairs(real, once, "SN"), compare_pairs(real, often, "SN"), strict=True):
        assert (a.names, a.gap) == (b.names, pytest.approx(b.gap))
    assert count(often, "SN") == (500, 50)


def test_a_correlation_that_is_lost_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    real.values["chinr"] = real.values["magnr"] + 0.3 * real.values["chinr"]
    rows = compare_pairs(real, simulated, "SN")
    assert rows[0].names == ("magnr", "chinr")
    assert rows[0].correlation == (pytest.approx(0.95, abs=0.03), pytest.approx(0, abs=0.2))
    assert rows[0].gap < -8
    lines = pairs_text(rows).splitlines()
    assert lines[1].startswith("magnr ~ chinr")
    assert len(lines) == 1 + sum(abs(row.gap) > 1.96 for row in rows) < 10
    assert pairs_text([row._replace(gap=gap) for row, gap in zip(rows, (1.9, -1.9, np.nan), strict=False)]) == (
        "no correlation beyond chance"
    )


def packets(folder, names: dict[str, str], head: str = "objectId,label", seed: int = 0, **changes):
    """A folder with two alerts of each object, and labels.csv as `names` says."""
    rng = np.random.default_rng(seed)
    records = []
    for i, name in enumerate(names):
        for k in range(2):
            candid = 10 * (i + 1) + k
            fields = {"jd": CANDIDATE["jd"] + k, "magpsf": 18 + rng.random()} | changes
            records.append(alert(name, candid, images(1000 * seed + candid), **fields))
    save(folder / "alerts", records)
    (folder / "labels.csv").write_text("\n".join([head, *(f"{name},{rest}" for name, rest in names.items())]))
    return folder


def many(label: str, n: int = 6) -> dict[str, str]:
    return {f"ZTF18{label.lower()}{i}": label for i in range(n)}


def test_sample_of_packets(tmp_path):
    """Values of the packet, -999 as missing, stamps cut by the edge without pixel statistics, fills and all."""
    names = {"ZTF18a": "AGN", "ZTF18b": "SN", "ZTF18c": "no class", "ZTF18d": ""}
    folder = packets(tmp_path, names, sgscore1=-999.0, ra=10.0, dec=60.0)
    edge = alert("ZTF18a", 99, [stamp[:50] for stamp in images(9)], ypos=3070.0, magnr=17.0, magpsf=20.0)
    save(folder / "alerts", [edge])
    found = read_sample(folder)
    assert sorted(zip(found.object_id, found.label, found.weight, strict=True)) == [
        *[("ZTF18a", "AGN", pytest.approx(1 / 3))] * 3,
        *[("ZTF18b", "SN", 0.5)] * 2,
    ]
    assert (found.ledger.kept, dict(found.ledger.dropped)) == (5, {"other_label_or_grade": 4})
    cut = found.candid == 99
    assert found.values["other_shape"].tolist() == cut.tolist()
    assert np.isnan(found.values["noise_science"]).tolist() == cut.tolist()
    assert found.values["magpsf-magnr"][cut] == pytest.approx(3.0)
    assert np.isnan(found.values["sgscore1"][~cut]).all()
    assert found.values["abs_gal_b"][~cut] == pytest.approx(2.85, abs=0.05)  # astropy: b = -2.83
    assert found.values["noise_science"][~cut] == pytest.approx(10, rel=0.1)
    assert found.values["fwhm_template"][~cut] == pytest.approx(2.3548 * 2, rel=0.02)


def test_grades_choose_objects(tmp_path):
    names = {"ZTF18a": "AGN,strong", "ZTF18b": "AGN,weak", "ZTF18c": "bogus,weak", "ZTF18d": "bogus,strong"}
    found = read_sample(packets(tmp_path, names, head="objectId,label,grade"))
    assert set(found.object_id) == {"ZTF18a", "ZTF18c"}


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


@pytest.mark.slow
def test_real_alerts_have_the_quantiles_that_were_measured_before(ztf_dir):
    """Medians from an independent measurement of the same alerts, which clipped sources from the noise."""
    found = read_sample(ztf_dir)
    assert {label: count(found, label) for label in ("AGN", "SN", "VS", "asteroid", "bogus")} == {
        "AGN": (60, 54),
        "SN": (102, 49),
        "VS": (136, 115),
        "asteroid": (211, 211),
        "bogus": (103, 103),
    }
    medians = {row.name: row.quantiles[0][2] for row in compare_values(found, found, "VS")}
    assert medians["magpsf"] == pytest.approx(17.3, abs=0.1)
    assert medians["background_science"] == pytest.approx(146.4, abs=0.5)
    assert medians["noise_science"] == pytest.approx(10.4, rel=0.06)
    assert medians["fwhm_template"] == pytest.approx(2.40, abs=0.02)
    assert medians["peak_difference"] == pytest.approx(35.4, rel=0.05)
    assert all(row.ks == 0 or np.isnan(row.ks) for row in compare_values(found, found, "SN"))
