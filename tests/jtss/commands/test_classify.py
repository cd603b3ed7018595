"""`jtss classify`: what is refused, what is said, and what options do to the probabilities."""

import os
from dataclasses import replace

import numpy as np
import pytest

from data_prep import ingest
from helpers.made_runs import FIRST, TINY, make_run, table_of, write_data
from helpers.make_packets import CANDIDATE, alert, night, save
from helpers.programs import jtss
from jtss import files
from jtss.pretrained import file
from jtss.reports import export

PRIORS = {"AGN": 0.4, "SN": 0.1, "VS": 0.3, "asteroid": 0.15, "bogus": 0.05}
GIVEN = ",".join(f"{name}={share}" for name, share in PRIORS.items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of first detections, once with a temperature of 2, and one of three that reads AllWISE; a night."""
    folder = tmp_path_factory.mktemp("classify")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    make_run(folder / "run1", FIRST, folder / "made.h5", certainty=0.005)
    export.export(folder / "run1", "plain", folder / "files")
    warm = replace(export.from_run(folder / "run1"), temperature=2.0)
    file.path_of("warm", folder / "files").write_bytes(file.to_bytes(warm))
    files.write_sums(folder / "files")
    save(folder / "packets", night())
    return folder


@pytest.fixture
def classify(folder, monkeypatch, capsys, tmp_path):
    """Runs the command on the night in an empty folder; returns the exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file, "FOLDER", folder / "files")
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)

    def call(model, *words, out="t.csv"):
        status = jtss("classify", folder / "packets", "-m", model, "--out", out, *words)
        return status, *capsys.readouterr()

    return call


def answers(path):
    """By object, the probability of each class."""
    found = {}
    for row in table_of(path):
        found.setdefault(row["oid"], {})[row["class_name"]] = float(row["probability"])
    return found


def versions(path):
    return {row["classifier_version"] for row in table_of(path)}


def test_two_outputs_of_one_name_are_refused_before_anything_is_read(tmp_path, capsys):
    out = tmp_path / "a.csv"
    assert jtss("classify", tmp_path / "nowhere", "--out", out, "--rejects", out) == 2
    assert capsys.readouterr().err == f"jtss: error: --out and --rejects name the same file {out}; expected two\n"


def test_a_night_becomes_a_table_and_the_tally_is_printed(classify, tmp_path):
    status, out, err = classify("plain")
    assert (status, "WARNING" in err) == (0, False)
    assert out.startswith("alerts read")
    assert "history" not in out  # which no model reads
    assert out.endswith("table: t.csv\n")
    assert ["objects", "classified", "5"] in [line.split() for line in out.splitlines()]
    assert list(answers("t.csv")) == ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d", "ZTF18e"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_class_priors_reweight_by_the_rule_of_bayes(classify):
    """The network learnt with equal priors: each probability times the share of its class, normalised."""
    assert classify("plain")[0] == 0
    assert classify("plain", "--priors", GIVEN, out="p.csv")[0] == 0
    for oid, plain in answers("t.csv").items():
        weighted = {name: p * PRIORS[name] for name, p in plain.items()}
        total = sum(weighted.values())
        found = answers("p.csv")[oid]
        assert found == pytest.approx({name: p / total for name, p in weighted.items()}, rel=1e-4)
        ranked = [row["class_name"] for row in table_of("p.csv") if row["oid"] == oid]
        assert set(ranked) == set(PRIORS)
    first = [row for row in table_of("p.csv") if row["ranking"] == "1"]
    assert all(float(row["probability"]) == max(answers("p.csv")[row["oid"]].values()) for row in first)
    (plain,), (weighted,) = versions("t.csv"), versions("p.csv")
    assert weighted == f"{plain}.priors"


def test_calibration_comes_before_class_priors(classify):
    """At a temperature of 2 probabilities become their square roots, normalised; then the shares count."""
    assert classify("warm")[0] == 0
    assert classify("warm", "--calibrated", out="c.csv")[0] == 0
    assert classify("warm", "--calibrated", "--priors", GIVEN, out="both.csv")[0] == 0
    for oid, plain in answers("t.csv").items():
        for name, shares in (("c.csv", dict.fromkeys(PRIORS, 1)), ("both.csv", PRIORS)):
            expected = {label: np.sqrt(p) * shares[label] for label, p in plain.items()}
            total = sum(expected.values())
            found = answers(name)[oid]
            assert found == pytest.approx({label: p / total for label, p in expected.items()}, rel=1e-4)
    (plain,) = versions("t.csv")
    assert (versions("c.csv"), versions("both.csv")) == ({f"{plain}.t2"}, {f"{plain}.t2.priors"})


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        (
            "plain",
            ("--priors", "AGN=.5,SN=.5"),
            "--priors: AGN, SN, but the classes of the model are AGN, SN, VS, asteroid, bogus",
        ),
        ("plain", ("--priors", ""), "--priors '': '', expected CLASS=FRACTION"),
        ("plain", ("--calibrated",), "--calibrated: plain has no temperature"),
        ("plain", ("--allwise", "none.csv"), "none.csv"),
        ("plain", ("--screen-bogus", "nowhere"), "nowhere: no such run directory and no pretrained model"),
        ("nowhere", (), "nowhere: no such run directory and no pretrained model"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(classify, tmp_path, model, words, message):
    status, _, err = classify(model, *words)
    errors = [line for line in err.splitlines() if line.startswith("jtss: error: ")]
    assert (status, len(errors)) == (2, 1)
    assert message in errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--picture", "--rejects"])
def test_a_file_that_exists_is_replaced_by_force_only(classify, tmp_path, option):
    """As every command has it; the predictions of a night are not lost to those of another."""
    old = tmp_path / "old.csv"
    old.write_text("precious")
    others = [] if option == "--out" else [option, old]
    given = {"out": old if option == "--out" else tmp_path / "t.csv"}
    status, out, err = classify("plain", *others, **given)
    assert (status, out, old.read_text(), os.listdir(tmp_path)) == (2, "", "precious", ["old.csv"])
    assert err == f"jtss: error: {old} exists; choose another name or add --force to replace it\n"
    assert classify("plain", *others, "--force", **given)[0] == 0
    assert b"precious" not in old.read_bytes()


def catalogue(path, *positions):
    path.write_text("ra,dec,W1,W2,W3,W4\n" + "".join(f"{ra},{dec},14.1,13.9,11.2,8.8\n" for ra, dec in positions))
    return path


@pytest.mark.parametrize(
    ("positions", "matched"), [([(CANDIDATE["ra"], CANDIDATE["dec"]), (150.0, -40.0)], 2), ([(10.0, 10.0)], 0)]
)
def test_the_objects_that_a_catalogue_matches_are_counted(classify, folder, tmp_path, positions, matched):
    """Where it matches none, that is a warning."""
    status, out, err = classify(folder / "run", "--allwise", catalogue(tmp_path / "cat.csv", *positions))
    assert status == 0
    assert "no --allwise given" not in err
    line = f"AllWISE: {matched} of 5 objects matched"
    assert line in (out if matched else err)
    assert line not in (err if matched else out)


def test_colours_that_are_missing_or_not_read_are_warned_of(classify, folder, tmp_path):
    _, out, err = classify(folder / "run")
    assert "WARNING: no --allwise given: the AllWISE colours count as missing" in err
    assert "objects matched" not in out + err
    _, _, err = classify("plain", "--allwise", catalogue(tmp_path / "cat.csv", (150.0, 2.0)), out="u.csv")
    assert "WARNING: --allwise: plain reads no AllWISE colours, so the catalogue changes nothing" in err


def test_files_beside_the_alerts_are_passed_over(tmp_path, capsys, monkeypatch):
    """Its own of before, too, and the catalogue."""
    folder = save(tmp_path / "night", [alert("ZTF18a", 1), alert("ZTF18b", 2)])
    monkeypatch.chdir(folder)
    catalogue(folder / "allwise.csv", (150.0, 2.0))
    outputs = ["--out", "table.csv", "--rejects", "rejects.jsonl", "--picture", "picture.png"]
    for force in ([], ["--force"]):
        assert jtss("classify", ".", "-m", "n1_enhanced", "--allwise", "allwise.csv", *outputs, *force) == 0
        assert "other_file" not in capsys.readouterr().out
    assert set(answers("table.csv")) == {"ZTF18a", "ZTF18b"}


def test_an_id_whose_alerts_are_all_over_the_sky_says_so_in_its_row(classify, tmp_path):
    mixed = [alert("None", 200 + i, dec=2.0 if i < 4 else 30.0, jd=2459000.5 + i) for i in range(6)]
    nowhere = [alert("nan", 300 + i, ra=70.0 * i, dec=20.0 * i - 40, jd=2459000.5 + i) for i in range(3)]
    save(tmp_path / "mixed", [*mixed, *nowhere])
    assert jtss("classify", tmp_path / "mixed", "-m", "plain", "--out", tmp_path / "m.csv") == 0
    notes = {row["oid"]: (row["class_name"] != "", row["note"]) for row in table_of(tmp_path / "m.csv")}
    assert notes == {"None": (True, "others_apart"), "nan": (False, "positions_apart")}
