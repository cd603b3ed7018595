"""Every planted leak by id, alert, place or order of detections is seen, and what is no leak is left in peace."""

import numpy as np
import pytest

from data_prep.__main__ import main
from data_prep.audit.finding import LEAK, WARNING
from helpers import made_audits
from helpers.made_audits import ARCSEC, TEST, TRAIN, alarms, audited, clean, of_split, same_place, set_place
from helpers.made_sequences import with_histories
from jtss.schema import ALERT, DETECTION, METADATA_NAMES

PLANTED = (
    made_audits.same_id,
    made_audits.same_alert,
    made_audits.same_place,
    made_audits.same_place_at_the_pole,
    made_audits.out_of_order,
    made_audits.too_close,
    made_audits.candid_twice,
    made_audits.no_time,
)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_seen_and_nothing_else(tmp_path, plant, capsys):
    made = clean()
    check, text, examples = plant(made)
    (finding,) = alarms(audited(tmp_path, made))
    assert (finding.level, finding.check, finding.text, finding.count) == (LEAK, check, text, 1)
    assert finding.examples[0].startswith(examples)
    assert main(["audit", str(tmp_path / "made.h5")]) == 1
    assert f"{text}: 1 ({finding.examples[0]})" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("plant", "level"),
    [
        (made_audits.limit_with_a_magnitude, WARNING),
        (made_audits.exposure_twice, WARNING),
        (made_audits.told_out_of_order, LEAK),
        (made_audits.told_candid_twice, LEAK),
    ],
)
def test_a_flaw_of_what_is_told_is_seen_and_nothing_else(tmp_path, plant, level):
    made = with_histories(clean())
    check, text, owner = plant(made)
    (finding,) = alarms(audited(tmp_path, made))
    assert (finding.level, finding.check, finding.text, finding.count) == (level, check, text, 1)
    assert finding.examples[0].startswith(f"{made.object_id[owner]} ")


def test_a_told_detection_of_an_object_of_another_split_is_a_leak(tmp_path):
    made = with_histories(clean())
    trained, tested = of_split(made, TRAIN)[0], of_split(made, TEST)
    owner = made_audits.owners(made)
    row = np.flatnonzero((made.kind == DETECTION) & np.isin(owner, tested))[0]
    made.candid[row] = made.candid[(made.kind == ALERT) & (owner == trained)][0]
    (finding,) = alarms(audited(tmp_path, made))
    assert (finding.level, finding.check, finding.examples) == (LEAK, "alerts", (str(made.candid[row]),))


def test_a_sixth_alert_is_seen_and_told_rows_do_not_count(tmp_path):
    assert not alarms(audited(tmp_path, with_histories(clean(n_alerts=5))))
    (finding,) = alarms(audited(tmp_path, with_histories(clean(n_alerts=6))))
    assert finding.text == "objects with more than 5 alerts"
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


def test_a_position_that_only_a_later_detection_has_counts(tmp_path):
    made = clean()
    same_place(made)
    made.metadata[0, METADATA_NAMES.index("ra")] = np.nan
    assert [finding.check for finding in alarms(audited(tmp_path, made))] == ["positions"]
