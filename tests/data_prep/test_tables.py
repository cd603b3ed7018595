"""Columns of any table: texts and numbers by the names that a user or we give them. Units are tested with AllWISE."""

import gzip
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn, Table
from pyarrow import parquet

from data_prep import tables
from data_prep.tables import Wanted
from jtss.errors import InputError

WANTED = {
    "objectId": Wanted("text", (("objectId",),), required=False),
    "ra": Wanted("angle", (("ra",), ("raj2000",))),
    "type": Wanted("text", (("type", "otype"),)),
}
ROWS = "objectId,extra,ra,type\n 1234567890123456789 ,x,10.5,NA\n7,y,,\n"


def read(path, columns=None, **others):
    found = tables.read(path, tables.by_name(WANTED, columns or {}), "objects", **others)
    return {name: column.tolist() if name == "ra" else column.to_pylist() for name, column in found.items()}


def assert_read(found):
    assert found["objectId"] == ["1234567890123456789", "7"]
    assert found["ra"][0] == 10.5
    assert np.isnan(found["ra"][1])
    assert found["type"] == ["NA", ""]  # a fast nova


@pytest.mark.parametrize("extension", ["parquet", "ecsv", "vot", "fits"])
@pytest.mark.parametrize("of_ids", [str, int])
def test_texts_and_integers_of_every_kind_of_file(tmp_path, extension, of_ids):
    """Where a type is missing as the format has it, and where a name has 64 bits."""
    path = tmp_path / f"objects.{extension}"
    ids = [of_ids("1234567890123456789"), of_ids("7")]
    if extension == "parquet":
        kinds = pa.array(["NA", None]).dictionary_encode()
        parquet.write_table(pa.table({"objectId": ids, "ra": [10.5, None], "type": kinds}), path)
    else:
        table = Table({"objectId": ids, "ra": MaskedColumn([10.5, 0], mask=[False, True])})
        table["type"] = ["NA", ""] if extension == "fits" else MaskedColumn(["NA", "xx"], mask=[False, True])
        table.write(path, **({"format": "votable"} if extension == "vot" else {}))
    assert_read(read(path))


def test_text_files_plain_packed_and_below_a_title(tmp_path):
    for number, text in enumerate((ROWS, '"2026-11-30 00:00:00"\n' + ROWS, "\ufeff" + ROWS)):
        path = tmp_path / f"{number}.csv"
        path.write_text(text, encoding="utf-8")
        assert_read(read(path))
        with gzip.open(tmp_path / f"{number}.csv.gz", "wt", encoding="utf-8") as file:
            file.write(text)
        assert_read(read(tmp_path / f"{number}.csv.gz"))
        with zipfile.ZipFile(tmp_path / f"{number}.csv.zip", "w") as archive:
            archive.writestr("inside.csv", text)
        assert_read(read(tmp_path / f"{number}.csv.zip"))


def test_the_first_group_of_names_that_is_there_counts(tmp_path):
    path = tmp_path / "cat.csv"
    path.write_text("RAJ2000,ra,otype\n1,2,QSO\n")
    assert read(path) == {"ra": [2.0], "type": ["QSO"]}
    path.write_text("RAJ2000,otype\n1,QSO\n")
    assert read(path) == {"ra": [1.0], "type": ["QSO"]}
    path.write_text("ra,otype,type\n1,QSO,AGN\n")
    with pytest.raises(InputError, match=r"cat.csv: more than one column type or otype; found ra, otype, type"):
        read(path)


def test_other_names_of_columns(tmp_path):
    path = tmp_path / "cat.csv"
    path.write_text("Oid,ra,class,type\na,1,QSO,x\n")
    given = tables.renamed(["objectId=oid", "type=class"], WANTED)
    assert read(path, given) == {"objectId": ["a"], "ra": [1.0], "type": ["QSO"]}
    assert tables.renamed(["objectId=oid,type = class"], WANTED) == given
    with pytest.raises(InputError, match=r"cat.csv: no column name; found Oid, ra, class, type"):
        read(path, {"objectId": "name"})
    for texts, message in (
        (["kind=class"], r"--columns kind=class: expected OURS=THEIRS, where OURS is one of objectId, ra, type"),
        (["type"], r"--columns type: expected OURS=THEIRS"),
        (["type=a", "type=b"], r"--columns: type is given twice, a and b"),
    ):
        with pytest.raises(InputError, match=message):
            tables.renamed(texts, WANTED)


@pytest.mark.parametrize("extension", ["parquet", "fits", "vot"])
def test_names_that_lost_their_digits_are_refused(tmp_path, extension):
    path, columns = tmp_path / f"a.{extension}", {"objectId": [1.2e18], "ra": [1.0], "type": ["QSO"]}
    if extension == "parquet":
        parquet.write_table(pa.table(columns), path)
    else:
        Table(columns).write(path, **({"format": "votable"} if extension == "vot" else {}))
    with pytest.raises(
        InputError, match=rf"a.{extension}: column objectId has numbers of type (double|float64|>f8), ex"
    ):
        read(path)


LAYOUT = {"objectId": (0, 4), "ra": (5, 12), "type": (13, 16)}


def test_columns_at_fixed_places(tmp_path):
    path = tmp_path / "cat.txt"
    path.write_text("# a title\na     10.5    QX\n\nbcd  359.25  Q\n")
    assert read(path, layout=LAYOUT) == {"objectId": ["a", "bcd"], "ra": [10.5, 359.25], "type": ["QX", "Q"]}
    path.write_text("a     10.5    QX\nb     1O.5    QX\n")
    with pytest.raises(
        InputError, match=r"cat.txt, line 2: '1O.5' in columns 6 to 12, expected ra; of another release"
    ):
        read(path, layout=LAYOUT)
    with pytest.raises(InputError, match=r"cat.txt: cannot read a catalogue of type '.txt'; expected .csv"):
        read(path)


def test_archives_that_hold_no_table_or_many_are_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", ROWS)
        archive.writestr("b.csv", ROWS)
    with pytest.raises(InputError, match=r"a.zip: 2 files in it, expected one table"):
        read(path)
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"a.zip: not a readable .zip"):
        read(path)
    path = tmp_path / "b.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode())[:30])
    with pytest.raises(InputError, match=r"b.csv.gz: not a readable table"):
        read(path)
