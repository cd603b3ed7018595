"""The audit as a whole: clean data sets pass, builds are warned of leaks, and the order of objects changes nothing."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.__main__ import main
from data_prep.audit import audit as audit_audit
from data_prep.audit.finding import LEAK, NOTE, OK
from helpers import made_audits
from helpers.made_audits import TEST, TRAIN, VALIDATION, alarms, audited, clean, of_split, shuffled, write
from helpers.made_sequences import with_histories
from helpers.make_packets import alert, images, save
from jtss.schema import CHANNEL_NAMES, METADATA_NAMES


def test_a_clean_data_set_passes(tmp_path, capsys):
    path = write(tmp_path / "clean.h5", clean())
    assert main(["audit", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    splits = "12 train, 6 validation, 6 test, 0 in no split"
    rows = "48 alerts with stamps, 0 detections without, 0 limits"
    assert lines[0] == f"{path}: 24 objects ({splits}); {rows}"
    assert {line.split()[0] for line in lines[1:-1]} == {"ok", "note"}
    assert lines[-1] == "audit: 0 leaks, 0 warnings"


@pytest.mark.parametrize("plants", [(), (made_audits.same_id, made_audits.same_alert, made_audits.same_place)])
def test_histories_change_no_finding(tmp_path, plants):
    made = clean(n_objects=96)
    for plant in plants:
        plant(made)
    made.stamps[2 * of_split(made, TEST)[3]] = made.stamps[2 * of_split(made, TRAIN)[3]]
    alone, whole = audited(tmp_path, made), audited(tmp_path, with_histories(made))
    assert whole.findings == alone.findings
    assert whole.title != alone.title
    assert len(alarms(whole)) == len(plants) + len(CHANNEL_NAMES)


def test_a_simulated_sky_passes(tmp_path):
    path = tmp_path / "sky.h5"
    main(["simulate", "--objects", "240", "--seed", "3", "--out", str(path), "--classes", "AGN,SN,VS,asteroid,bogus"])
    assert not alarms(audit_audit.audit(path))


def test_without_labels_splits_or_positions_there_is_little_to_say(tmp_path):
    made = clean()
    made.metadata[:, METADATA_NAMES.index("ra")] = np.nan
    made.metadata[::2, METADATA_NAMES.index("dec")] = -999
    levels = {finding.check: finding.level for finding in audited(tmp_path, made).findings}
    assert levels == {
        **dict.fromkeys(("object ids", "positions", "alerts", "sequences", "histories", "stamps"), OK),
        "shortcuts": NOTE,
    }
    for empty in (VALIDATION, TEST, TRAIN):
        made.split[made.split == empty] = -1
        assert not alarms(audited(tmp_path, made))
    made.label[:] = -1
    assert audited(tmp_path, made).findings[-1].text == "none: nothing to compare"


PLANTED = (
    made_audits.same_id,
    made_audits.same_alert,
    made_audits.same_place,
    made_audits.out_of_order,
    made_audits.too_close,
    made_audits.candid_twice,
)


@settings(max_examples=8, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_objects_changes_nothing(tmp_path_factory, seed):
    """With most leaks at once, near-duplicate stamps among them."""
    made = clean(n_objects=96)
    for plant in PLANTED:
        plant(made)
    trained, tested = of_split(made, TRAIN), of_split(made, TEST)
    made.stamps[2 * tested[3]] = made.stamps[2 * trained[3]]
    made.stamps[2 * tested[4]] = np.rot90(made.stamps[2 * trained[4]]) * np.float16(0.7)
    folder = tmp_path_factory.mktemp("audit")
    plain = audited(folder, made).findings
    assert len([finding for finding in plain if finding.level == LEAK]) == 10
    assert audited(folder, shuffled(made, seed)).findings == plain


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
