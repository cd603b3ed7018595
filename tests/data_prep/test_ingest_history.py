"""Histories through the whole of reading: rows of three kinds in the order of time, and the same from any order."""

import errno
import os
import random

import numpy as np
import pytest

from data_prep import ingest as data_prep_ingest
from data_prep.history import IN_THE_RESULT
from data_prep.ingest import ingest, ingest_items
from data_prep.packets.alerts import from_record
from data_prep.simulate.packets import encode_file
from helpers.make_packets import CANDIDATE, alert, detection, images, limit
from jtss import views
from jtss.schema import ALERT, COLUMNS, DETECTION, LIMIT, METADATA_NAMES, NO_CANDID, check, join

JD = CANDIDATE["jd"]


@pytest.fixture
def read(tmp_path):
    """Sequences and ledger of some records, as a packet file each."""
    numbers = iter(range(100))

    def _read(records, histories=True, **options):
        folder = tmp_path / str(next(numbers))
        (folder / "work").mkdir(parents=True)
        (folder / "alerts").mkdir()
        for number, record in enumerate(records):
            (folder / "alerts" / f"{number}.avro").write_bytes(encode_file([record]))
        work = {"workdir": folder / "work", "workers": 1, "progress": False}
        with ingest([folder / "alerts"], histories=histories, **work) as ingested:
            sequences = join(list(ingested.batches(**options)))
            check(sequences)
            return sequences, ingested.ledger

    return _read


def column(sequences, name):
    return sequences.metadata[:, METADATA_NAMES.index(name)]


def same(one, other):
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


PAST = [detection(9, 3, magpsf=18.0), limit(8), detection(4, 4, fid=2), limit(2, fid=2)]


def night():
    """Three alerts of one object, two of them within an hour; each tells of those before it and of the past."""
    first = detection(0, 10, magpsf=18.5)
    second = detection(-1 / 24, 11, fid=2, magpsf=18.25)
    return [
        alert("ZTF18a", 10, images(1), PAST, magpsf=18.5),
        alert("ZTF18a", 11, images(2), [*PAST, first], jd=JD + 1 / 24, fid=2, magpsf=18.25),
        alert("ZTF18a", 12, images(3), [*PAST, first, second, limit(-1)], jd=JD + 3),
    ]


def test_rows_of_three_kinds(read):
    sequences, ledger = read(night())
    assert sequences.kind.tolist() == [DETECTION, LIMIT, DETECTION, LIMIT, ALERT, DETECTION, LIMIT, ALERT]
    assert sequences.candid.tolist() == [3, NO_CANDID, 4, NO_CANDID, 10, 11, NO_CANDID, 12]
    assert sequences.fid.tolist() == [1, 1, 2, 2, 1, 2, 1, 1]
    np.testing.assert_allclose(sequences.jd - JD, [-9, -8, -4, -2, 0, 1 / 24, 1, 3], atol=1e-7)
    assert sequences.stamp_row.tolist() == [-1, -1, -1, -1, 0, -1, -1, 1]
    has_counts = np.isfinite(column(sequences, "ndethist"))
    assert has_counts.tolist() == [False] * 4 + [True, True, False, True]  # an alert that was dropped has its own
    assert column(sequences, "magpsf")[[0, 4, 5]].tolist() == [18.0, 18.5, 18.25]
    assert ledger.as_dict() == {
        "read": 3,
        "kept": 2,
        "dropped": {"within_6_hours": 1},
        "notes": {"history_detections": 3, "history_limits": 3},
    }


def test_the_papers_view_is_what_it_would_be_without_histories(read):
    with_history, _ = read(night())
    without, _ = read([record | {"prv_candidates": None} for record in night()])
    same(views.alerts(with_history), views.alerts(without))


def test_histories_that_nobody_reads_are_passed_over(read):
    """Whatever is wrong with them: the ledger does not speak of them, and the alerts are the same."""
    records = [*night(), alert("ZTF18b", 20, history=[detection(40, 3)]), alert("ZTF18c", 30, history=None)]
    with_history, _ = read(records)
    without, ledger = read(records, histories=False)
    same(views.alerts(with_history), views.alerts(without))
    assert set(without.kind) == {ALERT, DETECTION}  # a second alert within six hours is read, and stays
    assert not [name for name in ledger.notes if name.startswith("history_")]


@pytest.mark.parametrize("histories", [True, False])
def test_a_decoded_record_tells_what_its_packet_does(tmp_path, histories):
    alerts = [from_record(record, "here", histories) for record in night()]
    with ingest_items(alerts, workdir=tmp_path, workers=1) as ingested:
        (sequences,) = ingested.batches()
    assert (LIMIT in sequences.kind) == histories


def test_the_order_of_packets_and_rows_does_not_matter(read):
    """Also where they contradict each other, in copies of one packet, and in their rows."""
    records = night()
    records += [alert("ZTF18a", 12, images(3), [detection(9, 3, magpsf=17.0), limit(8, diffmaglim=19.0)], jd=JD + 3)]
    records += [alert("ZTF18b", 20 + i, history=[*PAST, detection(9, 3, magpsf=17.5 + i)]) for i in (0, 1)]
    expected, ledger = read(records)
    assert ledger.notes["history_contradicts"] == 4
    shuffle = random.Random(3)
    for _ in range(3):
        mixed = [
            record | {"prv_candidates": shuffle.sample(h := record["prv_candidates"], len(h))} for record in records
        ]
        found, counted = read(shuffle.sample(mixed, len(mixed)))
        same(found, expected)
        assert counted.as_dict() == ledger.as_dict()


def test_batches_and_groups_do_not_change_the_content(read, monkeypatch):
    records = night() + [alert(f"ZTF18{name}", 50 + i, history=PAST) for i, name in enumerate("bcde")]
    whole, ledger = read(records)
    monkeypatch.setattr(data_prep_ingest, "TOLD_AT_ONCE", 5)
    for size in (1, 2, 5):
        parts, counted = read(records, objects_per_batch=size)
        same(parts, whole)
        assert counted.as_dict() == ledger.as_dict()


def test_an_alert_that_is_read_speaks_for_itself(read):
    """A later packet tells another magnitude of it, without its counts."""
    records = [
        alert("ZTF18a", 10, magpsf=18.5),
        alert("ZTF18a", 11, jd=JD + 2, history=[detection(0, 10, magpsf=17.0)]),
    ]
    sequences, ledger = read(records)
    assert sequences.candid.tolist() == [10, 11]
    assert column(sequences, "magpsf").tolist() == [18.5, 18.5]
    assert ledger.notes["history_contradicts"] == 1


def test_an_alert_at_the_edge_is_told_by_a_later_one(read):
    records = [
        alert("ZTF18a", 10, images(1, (63, 40)), history=PAST),
        alert("ZTF18a", 11, jd=JD + 2, history=[detection(0, 10)]),
    ]
    sequences, ledger = read(records)
    assert sequences.candid.tolist() == [10, 11]
    assert sequences.kind.tolist() == [DETECTION, ALERT]
    assert np.isnan(column(sequences, "ndethist")).tolist() == [True, False]
    assert ledger.dropped == {"stamp_shape": 1}


def test_what_lies_elsewhere_tells_nothing(read):
    """An alert under the same id in another part of the sky, with a history of its own."""
    records = [alert("nan", i, jd=JD + i, history=[limit(-0.5)]) for i in (1, 2, 3)]
    records.append(alert("nan", 9, jd=JD + 1.5, dec=40.0, history=[limit(5), detection(4, 8, dec=40.0)]))
    sequences, ledger = read(records)
    assert sequences.kind.tolist() == [LIMIT, ALERT, ALERT, ALERT]
    assert ledger.dropped == {"positions_apart": 1}


def test_a_copy_of_a_packet_tells_what_it_knows(read):
    """The same alert twice, once with its history lost."""
    for history in ([None, PAST], [PAST, None], [PAST, PAST]):
        sequences, ledger = read([alert("ZTF18a", 10, images(1), each) for each in history])
        assert sequences.kind.tolist() == [DETECTION, LIMIT, DETECTION, LIMIT, ALERT]
        assert ledger.dropped == {"duplicate_candid": 1}


def test_what_is_wrong_with_a_packet_counts_once_however_many_copies_there_are(read):
    records = [alert("ZTF18a", 10, images(1), [detection(40, 3), limit(-1)]), alert("ZTF18b", 20, images(2))]
    once, twice = (dict(read(given)[1].notes) for given in (records, records * 2))
    assert once == {"history_older_than_30_days": 1, "history_later_than_alert": 1, "history_not_given": 1}
    assert twice == once


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (PAST, [*PAST, detection(40, 3), limit(-1)], {"history_older_than_30_days": 1, "history_later_than_alert": 1}),
        ([limit(40)], [limit(40), limit(41), *PAST], {"history_older_than_30_days": 2}),
        (PAST, None, {}),
        (None, [], {"history_not_given": 1}),
    ],
)
def test_faults_of_copies_do_not_depend_on_which_is_read_first(read, one, other, expected):
    for histories in ([one, other], [other, one]):
        _, ledger = read([alert("ZTF18a", 10, images(1), told) for told in histories])
        assert {name: ledger.notes[name] for name in ledger.notes.keys() - IN_THE_RESULT.keys()} == expected


def test_copies_that_lie_elsewhere_count_once(read):
    elsewhere = alert("ZTF18a", 9, images(9), jd=JD + 1.5, dec=40.0)
    records = [alert("ZTF18a", i, images(i), PAST, jd=JD + i) for i in (1, 2, 3)]
    _, ledger = read([*records, elsewhere, elsewhere])
    assert ledger.dropped == {"positions_apart": 2}
    assert ledger.notes["history_not_given"] == 1


BROKEN = [
    None,
    "text",
    7,
    {},
    [None],
    [{}],
    [{"jd": "x", "magpsf": "y"}],
    [detection(-5, 3)],
    [limit(1, diffmaglim="x")],
]


@pytest.mark.parametrize("history", BROKEN)
def test_a_broken_history_never_costs_its_alert(tmp_path, history):
    alerts = [from_record(alert("ZTF18a", 10) | {"prv_candidates": history}, "here")]
    with ingest_items(alerts, workdir=tmp_path, workers=1) as ingested:
        (sequences,) = ingested.batches()
        assert (ingested.ledger.kept, ingested.ledger.n_dropped) == (1, 0)
        assert [name for name in ingested.ledger.notes if name.startswith("history_")]
    check(sequences)
    assert sequences.kind.tolist() == [ALERT]


def test_a_temporary_file_that_ends_early_is_named(tmp_path):
    alerts = [from_record(record, "here") for record in night()]
    with ingest_items(alerts, workdir=tmp_path, workers=1) as ingested:
        os.truncate(tmp_path / "told", (tmp_path / "told").stat().st_size - 1)
        with pytest.raises(OSError, match=r"temporary file ends early.*told") as raised:
            list(ingested.batches())
    assert raised.value.errno == errno.EIO


def test_real_histories(ztf_dir, tmp_path):
    """Sorted, in the past of some alert, each exposure once; the folder holds what goes wrong in re-encoded files."""
    paths = sorted((ztf_dir / "alerts").glob("ZTF18a*.avro"))
    with ingest(paths, workdir=tmp_path, workers=1, progress=False) as ingested:
        sequences = join(list(ingested.batches()))
        notes = ingested.ledger.notes
    check(sequences)
    expected = {"history_later_than_alert", "history_older_than_30_days", "history_other_form", "history_contradicts"}
    assert expected <= set(notes)
    assert (sequences.kind == LIMIT).sum() == notes["history_limits"] > (sequences.kind == DETECTION).sum()
    for begin, end in zip(sequences.object_start[:-1], sequences.object_start[1:], strict=True):
        jd, kind = sequences.jd[begin:end], sequences.kind[begin:end]
        assert np.all(np.diff(jd) >= 0)
        assert kind[-1] != LIMIT  # nothing is told after the last alert
        exposures = set(zip(jd.round(6), sequences.fid[begin:end], strict=True))
        assert len(exposures) == len(jd)
    depth = column(sequences, "diffmaglim")
    assert np.all((depth > 11) & (depth < 23))
