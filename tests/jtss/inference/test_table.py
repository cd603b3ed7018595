"""The table of predictions: what goes in comes out, in every format, and no object is lost."""

import csv
import errno
import json
import os
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers import small_disk
from helpers.made_sequences import FIRST_CANDID, sequences, with_histories
from jtss.inference import table

CLASSIFIER = table.Classifier("n2_test", "0.1.0", ("AGN", "SN", "VS"), 2)


def rows(notes=None):
    probabilities = np.array([[0.2, 0.7, 0.1], [0.5, 0.5, 0.0]], np.float32)
    objects = with_histories(sequences())
    made = table.classified_rows(CLASSIFIER, objects, np.array([0, 2]), probabilities, notes or {}, {})
    return [*made, *table.rejected_rows(CLASSIFIER, {"ZTF9": "stamp_gzip"})]


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with open(path, newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        none = {"candid": int, "n_detections": int, "probability": float, "ranking": int, "class_name": str}
        kinds = {name: none.get(name, str) for name in table.Row._fields}
        return [
            {name: (kinds[name](text) if text or name == "note" else None) for name, text in row.items()}
            for row in csv.DictReader(file)
        ]


def test_rows_by_hand():
    head = ("n2_test", "0.1.0")
    assert [tuple(row) for row in rows({"ZTF2": "padded_edge"})] == [
        ("ZTF0", FIRST_CANDID + 1, 2, *head, "AGN", pytest.approx(0.2), 2, ""),
        ("ZTF0", FIRST_CANDID + 1, 2, *head, "SN", pytest.approx(0.7), 1, ""),
        ("ZTF0", FIRST_CANDID + 1, 2, *head, "VS", pytest.approx(0.1), 3, ""),
        ("ZTF1", FIRST_CANDID + 3, 1, *head, None, None, None, "too_few_detections: 1, needs 2"),
        ("ZTF2", FIRST_CANDID + 5, 2, *head, "AGN", 0.5, 1, "padded_edge"),
        ("ZTF2", FIRST_CANDID + 5, 2, *head, "SN", 0.5, 2, "padded_edge"),
        ("ZTF2", FIRST_CANDID + 5, 2, *head, "VS", 0.0, 3, "padded_edge"),
        ("ZTF9", None, 0, *head, None, None, None, "stamp_gzip"),
    ]


def test_rankings_are_permutations_in_order_of_probability():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 100)
    ranks = table.rankings(p)
    np.testing.assert_array_equal(np.sort(ranks, axis=1), np.tile(np.arange(1, 6), (100, 1)))
    np.testing.assert_array_equal(np.argmax(p, axis=1), np.argmin(ranks, axis=1))
    assert (np.diff(np.take_along_axis(p, np.argsort(ranks, axis=1), axis=1), axis=1) <= 0).all()


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".jsonl"])
def test_every_format_gives_the_rows_back(tmp_path, extension):
    path = tmp_path / f"predictions{extension}"
    with table.open_table(path) as write:
        for row in rows():
            write([row])
    found = read(path)
    assert [tuple(row) for row in found] == [table.Row._fields] * len(found)
    for row, expected in zip(found, rows(), strict=True):
        assert row == {**expected._asdict(), "probability": pytest.approx(expected.probability)}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_parquet_types_are_kept(tmp_path):
    path = tmp_path / "p.parquet"
    with table.open_table(path) as write:
        write(rows())
    stored = pq.read_schema(path)
    assert stored.names == list(table.Row._fields) == list(table.COLUMNS)
    assert {field.name: (str(field.type), field.nullable) for field in stored} == {
        name: ({"float32": "float"}.get(kind, kind), nullable) for name, (kind, nullable) in table.COLUMNS.items()
    }


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".jsonl"])
def test_a_table_without_rows_can_be_read(tmp_path, extension):
    path = tmp_path / f"none{extension}"
    with table.open_table(path):
        pass
    assert read(path) == []


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".jsonl"])
def test_an_error_leaves_the_old_table_and_no_scraps(tmp_path, extension):
    path = tmp_path / f"p{extension}"
    path.write_text("old")

    def fail_after_writing():
        with table.open_table(path) as write:
            write(rows())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_writing()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_awkward_text_survives_csv(tmp_path):
    path = tmp_path / "p.csv"
    with table.open_table(path) as write:
        write(table.rejected_rows(CLASSIFIER, {'Z,"F': "a\nb"}))
    found = read(path)
    assert (found[0]["oid"], found[0]["note"]) == ('Z,"F', "a\nb")


@pytest.mark.parametrize("name", ["p.txt", "p", "p.CSV.gz"])
def test_unknown_extension_names_the_three(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.csv, \.parquet, \.jsonl"), table.open_table(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())


def out_of_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("suffix", list(table.WRITERS))
def test_a_full_disk_names_the_table_and_leaves_none(tmp_path, monkeypatch, suffix):
    """Whether the rows do not fit, or what is left of them when the table is closed."""
    path = tmp_path / f"t{suffix}"
    says = f"^{path} cannot be written: No space left on device$"
    with pytest.raises(OSError, match=says) as failed, table.open_table(path) as write:
        write(out_of_room() for _ in range(1))
    assert failed.value.errno == errno.ENOSPC
    monkeypatch.setattr("jtss.files.flush", out_of_room)
    with pytest.raises(OSError, match=says), table.open_table(path) as write:
        write([])
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_read_meanwhile_is_not_laid_to_the_table(tmp_path):
    with pytest.raises(OSError, match=r"^\[Errno 5\] .*: 'alerts.avro'$"), table.open_table(tmp_path / "t.csv"):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "alerts.avro")


FILL = """
import sys
from pathlib import Path
from jtss.inference import table

row = table.Row("ZTF18a", 1, 1, "n1", "0", "AGN", 0.5, 1, "")
with table.open_table(Path(sys.argv[1], sys.argv[2])) as write:
    for _ in range(3000):
        write([row] * 100)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_disk_that_fills_is_said_in_one_line(tmp_path, suffix):
    done = small_disk.run(1_000_000, tmp_path, sys.executable, "-c", FILL, tmp_path, f"t{suffix}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"OSError: {tmp_path}/t{suffix} cannot be written: No space left on device"
