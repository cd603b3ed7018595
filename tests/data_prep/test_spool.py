"""What is read stays on disk, comes back as it was, and costs next to no memory."""

import errno
import tracemalloc

import numpy as np
import pytest

from data_prep import ingest, spool
from data_prep.packets.decode import KEY, ROW, Decoded
from data_prep.packets.history import NOTE, NOTE_NAMES, TOLD
from data_prep.spool import Spool
from helpers.make_packets import alert, night, save
from jtss.schema import COLUMNS


def decoded(first, n_rows, per_object=4, rng=None):
    """Some detections of objects that come again and again, each with none to two rows of history and of notes."""
    rng = rng or np.random.default_rng(first)
    number = first + np.arange(n_rows)
    rows, keys = np.zeros(n_rows, ROW), np.zeros(n_rows, KEY)
    rows["metadata"] = number[:, None]
    keys["jd"], keys["candid"], keys["digest"] = 2459000.0 + number, number + 1, number
    keys["n_told"], n_noted = number % 3, number % 2 * 2
    told, notes = np.zeros(keys["n_told"].sum(), TOLD), np.zeros(n_noted.sum(), NOTE)
    told["candid"] = np.repeat(number, keys["n_told"])
    notes["packet"], notes["count"] = np.repeat(np.arange(n_rows), n_noted), np.repeat(number, n_noted)
    notes["name"] = rng.integers(0, len(NOTE_NAMES), len(notes))
    notes = rng.permutation(notes)  # in no order of packets
    names = [f"ZTF20a{of:06d}" for of in number // per_object]
    return Decoded(rows, keys, told, notes, names, [f"folder/{i}.avro" for i in number], [], n_rows)


@pytest.fixture
def filled(tmp_path):
    one = Spool(tmp_path)
    for first in (0, 5, 12):
        one.append(decoded(first, 7 if first == 5 else 5))
    yield one
    one.close()


def test_everything_comes_back_in_any_order(filled):
    chosen = np.array([16, 0, 9, 9])
    entries = filled.entries(chosen)
    np.testing.assert_array_equal(entries["candid"], chosen + 1)
    np.testing.assert_array_equal(filled.read("metadata", chosen)[:, 3], chosen)
    np.testing.assert_array_equal(filled.read_told(entries)["candid"], np.repeat(chosen, chosen % 3))
    notes = filled.notes(entries)
    np.testing.assert_array_equal(notes["packet"], np.repeat(np.arange(4), chosen % 2 * 2))
    np.testing.assert_array_equal(notes["count"], np.repeat(chosen, chosen % 2 * 2))
    assert [*filled.sources()] == [f"folder/{i}.avro" for i in range(17)]


def test_objects_are_ranked_by_name_some_entries_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "ENTRIES_AT_ONCE", 2)
    one = Spool(tmp_path)
    for name in ("b", "c", "a", "b", "a"):
        one.append(decoded(0, 1)._replace(object_ids=[name]))
    rank, names = one.objects()
    one.close()
    assert names == ["a", "b", "c"]
    assert rank.tolist() == [1, 2, 0, 1, 0]


def test_a_file_that_was_cut_is_named(filled, tmp_path):
    with open(tmp_path / "rows", "r+b") as file:
        file.truncate(ROW.itemsize)
    with pytest.raises(OSError, match="ends early") as failed:
        filled.read("metadata", np.array([1]))
    assert failed.value.errno == errno.EIO
    assert failed.value.filename == str(tmp_path / "rows")


def _everything(folder, workdir):
    with ingest.ingest([folder], workdir=workdir, workers=1, progress=False) as ingested:
        batches = [*ingested.batches(objects_per_batch=2)]
        return batches, ingested.ledger.as_dict(), [*ingested.rejections()], ingested.notes(), ingested.positions


def test_objects_chosen_some_at_a_time_are_those_chosen_at_once(tmp_path, monkeypatch):
    """Whatever is at once in memory: two detections, or one object that has more."""
    records = [*night(), alert("ZTF18zz", 9, ra=10.0), alert("ZTF18zz", 10, ra=10.1), alert("ZTF18zz", 10, ra=10.1)]
    records += [alert(f"ZTF19{letter}", 20 + i) for i, letter in enumerate("cabd")]
    folder, outcomes = save(tmp_path / "alerts", records), []
    for at_once in (1, 2, 1 << 16):
        monkeypatch.setattr(ingest, "ENTRIES_AT_ONCE", at_once)
        workdir = tmp_path / str(at_once)
        workdir.mkdir()
        outcomes.append(_everything(folder, workdir))
    for batches, *rest, positions in outcomes[1:]:
        assert rest == [*outcomes[0][1:-1]]
        np.testing.assert_array_equal(positions, outcomes[0][-1])
        for batch, expected in zip(batches, outcomes[0][0], strict=True):
            for name in COLUMNS:
                np.testing.assert_array_equal(getattr(batch, name), getattr(expected, name))


def _peak_bytes(workdir, n_alerts):
    """Of choosing among alerts of a thousand objects, which are read already."""
    workdir.mkdir()
    slices = (decoded(first, 64, per_object=n_alerts // 1000) for first in range(0, n_alerts, 64))
    tracemalloc.start()
    try:
        with ingest.ingest_decoded(slices, workdir=workdir):
            return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_an_alert_costs_less_than_100_bytes(tmp_path, monkeypatch):
    for module in (ingest, spool):
        monkeypatch.setattr(module, "ENTRIES_AT_ONCE", 1000)
    few, many = (_peak_bytes(tmp_path / str(n), n) for n in (8_000, 40_000))
    assert (many - few) / 32_000 < 100
