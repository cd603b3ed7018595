"""The ledger adds up."""

import json

from hypothesis import given
from hypothesis import strategies as st

from data_prep.ledger import Ledger, table

ENTRIES = st.lists(st.tuples(st.sampled_from(["", "truncated", "stamp_shape"]), st.integers(0, 50)))


@given(ENTRIES)
def test_read_is_kept_plus_dropped(entries):
    ledger = Ledger()
    for reason, count in entries:
        ledger.drop(reason, count) if reason else ledger.keep(count)
    assert ledger.read == sum(count for _, count in entries)
    assert ledger.read == ledger.kept + sum(ledger.as_dict()["dropped"].values())


def test_what_holds_no_alert_is_a_note_not_a_loss():
    ledger = Ledger()
    ledger.drop("other_file", 0)
    ledger.note("nan_pixels", 0)
    assert ledger.as_dict() == {"read": 0, "kept": 0, "dropped": {}, "notes": {"other_file": 1}}


def test_table_says_the_same_after_json():
    ledger = Ledger()
    ledger.keep(1234)
    ledger.drop("stamp_shape", 16)
    ledger.note("nan_pixels", 3)
    text = str(ledger)
    assert text == table(json.loads(json.dumps(ledger.as_dict())))
    assert [line.split()[-1] for line in text.splitlines()] == ["1250", "1234", "16", "16", "notes", "3"]
