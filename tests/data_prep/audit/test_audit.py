"""The audit sees every leak that is planted, says which objects, and is silent of clean data sets."""

import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.__main__ import main
from data_prep.audit import audit as audit_audit
from data_prep.audit.finding import LEAK, NOTE, OK, WARNING
from helpers.made_audits import TEST, TRAIN, VALIDATION, alarms, audited, clean, of_split, set_place, shuffled, write
from helpers.make_packets import alert, images, save
from jtss.schema import METADATA_NAMES

ARCSEC = 1 / 3600


def test_a_clean_data_set_passes(tmp_path, capsys):
    path = write(tmp_path / "clean.h5", clean())
    assert main(["audit", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: 24 objects (12 train, 6 validation, 6 test, 0 in no split), 48 detections"
    assert {line.split()[0] for line in lines[1:-1]} == {"ok", "note"}
    assert lines[-1] == "audit: 0 leaks, 0 warnings"


def test_a_simulated_sky_passes(tmp_path):
    path = tmp_path / "sky.h5"
    main(["simulate", "--objects", "240", "--seed", "3", "--out", str(path), "--classes", "AGN,SN,VS,asteroid,bogus"])
    assert not alarms(audit_audit.audit(path))


def same_id(made):
    made.object_id[of_split(made, TEST)[0]] = made.object_id[of_split(made, TRAIN)[0]]
    return "object ids", "in more than one split", ("ZTF0",)


def same_alert(made):
    made.candid[2 * of_split(made, VALIDATION)[1]] = made.candid[2 * of_split(made, TRAIN)[0]]
    return "alerts", "candid in more than one split", (str(made.candid[0]),)


def same_place(made):
    set_place(made, of_split(made, TRAIN)[0], 0.0, 30.0)
    set_place(made, of_split(made, TEST)[0], 360 - 1.5 * ARCSEC, 30.0)
    return (
        "positions",
        "objects of test within 2″ of one of train",
        (f"ZTF{of_split(made, TEST)[0]} (test) and ZTF0 (train), 1.3″",),  # 1.5″ times the cosine of the declination
    )


def same_place_at_the_pole(made):
    set_place(made, of_split(made, VALIDATION)[0], 10.0, 90 - 0.5 * ARCSEC)
    set_place(made, of_split(made, TEST)[0], 190.0, 90.0)
    names = f"ZTF{of_split(made, TEST)[0]} (test) and ZTF{of_split(made, VALIDATION)[0]} (validation)"
    return "positions", "objects of test within 2″ of one of validation", (names,)


def out_of_order(made):
    made.jd[:2] = made.jd[1::-1]
    return "sequences", "objects whose detections are not in time order", ("ZTF0 (train)",)


def too_close(made):
    made.jd[3] = made.jd[2] + 0.24
    return "sequences", "objects with detections less than 6 hours apart", ("ZTF1 (train)",)


def candid_twice(made):
    made.candid[5] = made.candid[4]
    return "sequences", "objects with the same candid twice", ("ZTF2 (train)",)


def no_time(made):
    made.jd[1] = np.nan
    return "sequences", "objects without a time (jd) of every detection", ("ZTF0 (train)",)


@pytest.mark.parametrize(
    "plant",
    [same_id, same_alert, same_place, same_place_at_the_pole, out_of_order, too_close, candid_twice, no_time],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_leak_is_seen_and_nothing_else(tmp_path, plant, capsys):
    made = clean()
    check, text, examples = plant(made)
    (finding,) = alarms(audited(tmp_path, made))
    assert (finding.level, finding.check, finding.text, finding.count) == (LEAK, check, text, 1)
    assert finding.examples[0].startswith(examples)
    assert main(["audit", str(tmp_path / "made.h5")]) == 1
    assert f"{text}: 1 ({finding.examples[0]})" in capsys.readouterr().out


def test_a_sixth_detection_is_seen(tmp_path):
    (finding,) = alarms(audited(tmp_path, clean(n_detections=6)))
    assert finding.text == "objects with more than 5 detections"
    assert finding.count == 24
    assert finding.examples == ("ZTF0 (train)", "ZTF1 (train)", "ZTF10 (validation)")
    assert str(finding).endswith("ZTF10 (validation); …)")


def test_what_is_no_leak(tmp_path):
    """Neighbours at 2.5″, two ids of one place in one split, a gap of exactly 6 hours, candid 0 for unknown."""
    made = clean()
    set_place(made, of_split(made, TRAIN)[0], 100.0, 0.0)
    set_place(made, of_split(made, TEST)[0], 100 + 2.5 * ARCSEC, 0.0)
    for index in of_split(made, TRAIN)[1:3]:
        set_place(made, index, 200.0, 10.0)
    made.jd[1] = made.jd[0] + 0.25
    made.candid[10:] = 0
    assert not alarms(audited(tmp_path, made))


def test_an_object_twice_in_one_split_is_a_warning(tmp_path):
    made = clean()
    first, second = of_split(made, TRAIN)[:2]
    made.object_id[second] = made.object_id[first]
    (finding,) = alarms(audited(tmp_path, made))
    assert (finding.level, finding.count, finding.examples) == (WARNING, 1, ("ZTF0",))
    assert main(["audit", str(tmp_path / "made.h5")]) == 0


def test_many_objects_at_one_image_are_counted_each(tmp_path):
    """As many as there are in the smaller split, not as there are pairs."""
    made = clean()
    for index in range(24):
        set_place(made, index, 150.0, 2.0)
    counts = {finding.text: finding.count for finding in alarms(audited(tmp_path, made))}
    assert counts == {
        "objects of validation within 2″ of one of train": 6,
        "objects of test within 2″ of one of train": 6,
        "objects of test within 2″ of one of validation": 6,
    }


def test_without_labels_splits_or_positions_there_is_little_to_say(tmp_path):
    made = clean()
    made.metadata[:, METADATA_NAMES.index("ra")] = np.nan
    made.metadata[::2, METADATA_NAMES.index("dec")] = -999
    levels = {finding.check: finding.level for finding in audited(tmp_path, made).findings}
    assert levels == {
        **dict.fromkeys(("object ids", "positions", "alerts", "sequences", "stamps"), OK),
        "shortcuts": NOTE,
    }
    for empty in (VALIDATION, TEST, TRAIN):
        made.split[made.split == empty] = -1
        assert not alarms(audited(tmp_path, made))
    made.label[:] = -1
    assert audited(tmp_path, made).findings[-1].text == "none: nothing to compare"


def test_a_position_that_only_a_later_detection_has_counts(tmp_path):
    made = clean()
    same_place(made)
    made.metadata[0, METADATA_NAMES.index("ra")] = np.nan
    assert [finding.check for finding in alarms(audited(tmp_path, made))] == ["positions"]


@pytest.mark.parametrize(
    ("column", "rows", "message"),
    [
        ("split", [7], "split 7, expected -1 to 2"),
        ("label", [-3], "label -3, expected -1 to 4"),
        ("object_start", [0, 5, 5], "object_start goes from 0 to 48, expected 0 to 48, growing with every object"),
        ("object_start", [1], "object_start goes from 1 to 48, expected 0 to 48"),
    ],
)
def test_what_breaks_the_contract_is_an_error_of_one_line(tmp_path, capsys, column, rows, message):
    path = write(tmp_path / "made.h5", clean())
    with h5py.File(path, "r+") as file:
        file[column][: len(rows)] = rows
    assert main(["audit", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"error: {path}: {message}" in error
    assert error.count("\n") == 1


def test_columns_of_other_lengths_and_broken_files_are_errors_of_one_line(tmp_path, capsys):
    path = write(tmp_path / "made.h5", clean())
    with h5py.File(path, "r+") as file:
        file["candid"].resize(40, axis=0)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: candid has shape \(40,\), expected \(48,\)\n",
        capsys.readouterr().err,
    )
    write(path, clean())
    with h5py.File(path, "r+") as file:
        del file["label"]
        file["label"] = np.zeros(24)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: label has dtype float64, expected int8\n",
        capsys.readouterr().err,
    )
    with h5py.File(path, "r+") as file:
        del file["label"]
        file.create_dataset("label", (24,), np.int8, maxshape=(None,), chunks=(24,))
        for name in file:
            file[name].resize(int(name == "object_start"), axis=0)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: no objects, expected at least one\n", capsys.readouterr().err
    )
    path.write_bytes(write(tmp_path / "made.h5", clean()).read_bytes()[:100_000])
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(r"python -m data_prep audit: error: .*made.h5: not an HDF5 file: .*\n", capsys.readouterr().err)
    assert main(["audit", str(tmp_path / "nowhere.h5")]) == 2


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_objects_changes_nothing(tmp_path_factory, seed):
    """With most leaks at once, copied stamps among them."""
    made = clean(n_objects=96)
    for plant in (same_id, same_alert, same_place, out_of_order, too_close, candid_twice):
        plant(made)
    trained, tested = of_split(made, TRAIN), of_split(made, TEST)
    made.stamps[2 * tested[3]] = made.stamps[2 * trained[3]]
    made.stamps[2 * tested[4]] = np.rot90(made.stamps[2 * trained[4]]) * np.float16(0.7)
    folder = tmp_path_factory.mktemp("audit")
    plain = audited(folder, made).findings
    assert len([finding for finding in plain if finding.level == LEAK]) == 10
    assert audited(folder, shuffled(made, seed)).findings == plain


@pytest.fixture
def one_image(tmp_path):
    """Options of a build of eight supernovae with the same stamps: two are for test, two for validation."""
    records = [alert(f"ZTF18{i:04d}", i + 1, images(5), ra=10.0 + i) for i in range(8)]
    labels = tmp_path / "labels.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},SN\n" for i in range(8)))
    folder, out = save(tmp_path / "alerts", records), tmp_path / "out.h5"
    return ["build", "--alerts", str(folder), "--labels", str(labels), "--out", str(out), "--workers", "1"]


def test_build_warns_of_leaks_and_keeps_the_file(one_image, tmp_path, capsys):
    assert main(one_image) == 0
    captured = capsys.readouterr()
    assert "objects with a science stamp that is also, byte for byte, in another split: 8" in captured.out
    assert captured.err.splitlines()[-1].endswith("out.h5 leaks: accuracies measured with it may be too high")
    assert main(["audit", str(tmp_path / "out.h5")]) == 1


def test_build_keeps_one_place_on_one_side(tmp_path, capsys):
    records = [alert(f"ZTF18{i:04d}", i + 1, images(i), ra=10.0 + i // 2) for i in range(32)]
    labels = tmp_path / "labels.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},SN\n" for i in range(32)))
    folder, out = save(tmp_path / "alerts", records), tmp_path / "out.h5"
    assert main(["build", "--alerts", str(folder), "--labels", str(labels), "--out", str(out)]) == 0
    assert "audit: 0 leaks" in capsys.readouterr().out
    with h5py.File(out) as file:
        split = file["split"][:]
    np.testing.assert_array_equal(split[::2], split[1::2])
    assert set(split) == {TRAIN, VALIDATION, TEST}


def test_a_build_succeeds_whatever_becomes_of_its_audit(one_image, tmp_path, capsys, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_audit, "audit", interrupted)
    assert main(one_image) == 0
    assert "out.h5 is written but not audited: interrupted" in capsys.readouterr().err
    assert (tmp_path / "out.h5").is_file()
