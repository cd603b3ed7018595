"""What a packet says of its past is changed, and nothing else; as if the packet itself had come so."""

import copy
import importlib.util
import math
from itertools import pairwise

import numpy as np
import pytest

from data_prep.ingest import ingest_items
from data_prep.packets.alerts import from_record
from data_prep.simulate.archive import simulate_packets
from helpers.made_sequences import COLUMN, sequences, with_histories
from helpers.make_packets import alert, detection, limit
from jtss import schema
from jtss.inference import versions
from jtss.schema import ALERT, COLUMNS, DETECTION, LIMIT, check, join

COUNTERS = ("ndethist", "ncovhist", "non_detections")
PASTS = {  # by object: detections and limits before its alert [days]
    "ZTF18a": ([9, 4, 2], [8, 6, 3, 1]),
    "ZTF18b": ([], [5, 2]),
    "ZTF18c": ([12], []),
    "ZTF18d": ([], []),
}


def records():
    """An alert of each object, seen far more often than its packet tells."""
    made = []
    for number, (name, (seen, missed)) in enumerate(PASTS.items()):
        rows = [detection(days, 100 * number + 50 + days, magpsf=18 + days / 8) for days in seen]
        rows = sorted([*rows, *map(limit, missed)], key=lambda row: row["jd"])
        where = {"ra": 20.0 + 40 * number}
        rows = [row | where if row["magpsf"] is not None else row for row in rows]
        made.append(alert(name, 10 + number, history=rows or None, ndethist=300, ncovhist=1400, **where))
    return made


def packets_of(made, folder):
    with ingest_items([from_record(record, "here") for record in made], workdir=folder, workers=1) as ingested:
        return versions.first_packets(join(list(ingested.batches())))


def told(record):
    return [row for row in record["prv_candidates"] or [] if row["magpsf"] is not None]


def counting(record, ndethist, ncovhist, history):
    counted = record["candidate"] | {"ndethist": ndethist, "ncovhist": ncovhist}
    return record | {"candidate": counted, "prv_candidates": history}


def changed(version, record):
    """The same on the packet itself."""
    history = record["prv_candidates"] or []
    limits = [row for row in history if row["magpsf"] is None]
    return {
        "as_is": record,
        "month": counting(record, 1 + len(told(record)), 1 + len(history), record["prv_candidates"]),
        "day_one": counting(record, 1, 1, None),
        "first": counting(record, 1, 1 + len(history), limits or None),
        "hidden": counting(record, None, None, record["prv_candidates"]),
    }[version]


def assert_same(one, other):
    schema.check(one)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_changed_packets_and_changed_rows_are_the_same(version, tmp_path):
    made = records()
    expected = packets_of([changed(version, record) for record in made], tmp_path)
    assert_same(versions.VERSIONS[version](packets_of(made, tmp_path)), expected)


def test_simulated_packets_changed_are_their_rows_changed(tmp_path):
    fastavro = pytest.importorskip("fastavro")
    simulate_packets(tmp_path / "sky", 12, seed=5, sky="mixed", workers=1, progress=False)
    made = {}
    for path in sorted((tmp_path / "sky" / "alerts").glob("*.avro")):
        with open(path, "rb") as file:
            for record in fastavro.reader(file):
                known = made.setdefault(record["objectId"], record)
                made[record["objectId"]] = min(known, record, key=lambda each: each["candidate"]["jd"])
    assert sum(len(told(record)) for record in made.values()) > 10
    packets = packets_of(made.values(), tmp_path)
    for version, change in versions.VERSIONS.items():
        expected = packets_of([changed(version, record) for record in made.values()], tmp_path)
        assert_same(change(packets), expected)


def counters(packets):
    last = packets.metadata[packets.object_start[1:] - 1]
    return [tuple(row) for row in last[:, [COLUMN[name] for name in COUNTERS]].tolist()]


def test_counters_and_rows_by_hand(tmp_path):
    packets = packets_of(records(), tmp_path)
    n_rows = [8, 3, 2, 1]
    said = {
        "as_is": ([(300, 1400, 1100)] * 4, n_rows),
        "month": ([(4, 8, 4), (1, 3, 2), (2, 2, 0), (1, 1, 0)], n_rows),
        "day_one": ([(1, 1, 0)] * 4, [1, 1, 1, 1]),
        "first": ([(1, 8, 7), (1, 3, 2), (1, 2, 1), (1, 1, 0)], [5, 3, 1, 1]),
    }
    for version, (expected, rows) in said.items():
        changed = versions.VERSIONS[version](packets)
        assert (counters(changed), changed.n_rows.tolist()) == (expected, rows), version
    hidden = versions.hidden(packets)
    assert all(math.isnan(value) for row in counters(hidden) for value in row)
    assert hidden.n_rows.tolist() == n_rows
    assert DETECTION not in versions.first(packets).kind
    assert (versions.first(packets).kind == LIMIT).sum() == 6


@pytest.mark.parametrize("version", versions.VERSIONS)
@pytest.mark.parametrize("seed", range(5))
def test_the_alert_is_the_same_but_for_its_counters_and_nothing_is_changed_in_place(version, seed):
    packets = versions.first_packets(with_histories(sequences((3, 1, 2, 1), seed=seed, label=[0, 1, 2, 3]), seed))
    before = copy.deepcopy(packets)
    changed = versions.VERSIONS[version](packets)
    assert_same(packets, before)
    schema.check(changed)
    last, was = changed.object_start[1:] - 1, packets.object_start[1:] - 1
    assert (changed.kind[last] == ALERT).all()
    others = [i for name, i in COLUMN.items() if name not in COUNTERS]
    np.testing.assert_array_equal(changed.metadata[last][:, others], packets.metadata[was][:, others])
    for name in ("jd", "candid", "fid"):
        np.testing.assert_array_equal(getattr(changed, name)[last], getattr(packets, name)[was])
    for name in ("stamps", "label", "object_id", "allwise"):
        np.testing.assert_array_equal(getattr(changed, name), getattr(packets, name))
    assert np.isin(changed.jd, packets.jd).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_latest_detections_are_those_found_by_walking_back(n):
    packets = versions.first_packets(with_histories(sequences([1] * 60, seed=4), seed=4))
    expected, objects = [], []
    for index, (begin, end) in enumerate(pairwise(packets.object_start)):
        row, found = end - 1, 1
        while found < n and row > begin:
            row -= 1
            found += packets.kind[row] != LIMIT
        if found == n:
            objects.append(index)
            expected.append(packets.jd[row:end])
    chosen, shortened = versions.latest(packets, n)
    assert chosen.tolist() == objects
    assert len(objects) == packets.n_objects if n == 1 else 0 < len(objects) < packets.n_objects
    np.testing.assert_array_equal(shortened.jd, np.concatenate(expected))
    assert np.sum(shortened.kind == LIMIT) > 0 or n == 1
    check(shortened)


def test_without_stamps_a_packet_has_no_pixel_and_all_else():
    packets = versions.first_packets(with_histories(sequences((2, 1)), seed=2))
    blank = versions.without_stamps(packets)
    assert np.isnan(blank.stamps).all()
    assert np.isfinite(packets.stamps).any()
    np.testing.assert_array_equal(blank.metadata, packets.metadata)


def test_every_version_has_its_words():
    assert list(versions.WORDS) == list(versions.VERSIONS)


def unclean(record, is_detection):
    """A history that reading corrects: rows that come twice, are no earlier than the alert, or too old."""
    jd, rows = record["candidate"]["jd"], record["prv_candidates"] or []
    kinds = [(round(row["jd"], 5), row["fid"]) for row in rows]
    bare = sum(row.get("candid") is not None for row in rows) != len(is_detection(record))
    return bare or len(set(kinds)) < len(kinds) or any(not -30 < row["jd"] - jd < -1e-5 for row in rows)


def test_versions_are_those_of_the_shared_test_on_real_alerts(ztf_dir, tmp_path):
    """The shared test changes packets, and counts what they tell; reading first takes away what cannot be."""
    fastavro, program = pytest.importorskip("fastavro"), ztf_dir / "sky_test.py"
    if not program.exists():
        pytest.skip("no sky_test.py beside the real alerts")
    spec = importlib.util.spec_from_file_location("sky_test", program)
    spec.loader.exec_module(shared := importlib.util.module_from_spec(spec))
    made, strong = {}, shared.strong(ztf_dir / "labels.csv")
    for path in sorted((ztf_dir / "alerts").glob("*.avro")):
        name = path.name.partition("_")[0]
        if name in strong and name not in made and len(made) < 120:
            with open(path, "rb") as file:
                made[name] = next(fastavro.reader(file))
    packets = packets_of(made.values(), tmp_path)
    clean = [not unclean(made[str(name)], shared.detections) for name in packets.object_id]
    assert sum(clean) > 80
    for version in ("month", "day_one", "first", "hidden"):
        theirs = copy.deepcopy(list(made.values()))
        for record in theirs:
            getattr(shared, version)(record)
        expected, ours = packets_of(theirs, tmp_path), versions.VERSIONS[version](packets)
        for i, whole in enumerate(clean):
            if whole or version in ("day_one", "hidden"):
                one, other = (schema.take(each, np.array([i])) for each in (ours, expected))
                assert_same(one, other)
