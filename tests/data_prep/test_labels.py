"""Labels by object."""

import gzip

import numpy as np
import pytest
from astropy.table import Table

from data_prep.labels import encode, encode_subclasses, load, load_subclasses, notes, objects, subclass_notes
from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, SUBCLASSES


def save(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_object_whatever_else_the_file_holds(tmp_path):
    path = save(tmp_path, "\ufefflabel,note,objectId\nSN,x,a\n,x,a\nSN,x,a\nAGN,x,b\nTDE,x,c\n,x,d\nbogus,x, e \n")
    labels = load(path)
    assert labels == {"a": "SN", "b": "AGN", "c": "TDE", "e": "bogus"}
    objects = ["e", "d", "c", "b", "a", "absent"]
    expected = [CLASS_NAMES.index("bogus"), -1, -1, CLASS_NAMES.index("AGN"), CLASS_NAMES.index("SN"), -1]
    codes = encode(objects, labels)
    assert codes.dtype == np.int8
    np.testing.assert_array_equal(codes, expected)
    assert notes(objects, labels) == {"objects without label": 2, "objects with label TDE, not a class": 1}


def test_the_objects_of_a_table_are_all_of_them_once(tmp_path):
    path = save(tmp_path, "objectId,label\nb,SN\na,\nb,SN\n c ,AGN\n")
    assert objects(path) == ["b", "a", "c"]


def test_subclasses_are_those_of_ours_that_are_of_the_class(tmp_path):
    """Whatever the case of the column, and where rows are too short for it; of what does not count there are notes."""
    rows = ("a,SN,SN Ia", "a,SN,", "b,AGN, blazar ", "c,VS", "d,SN,quasar", "e,,quasar", "f,SN,SLSN", "g,TDE,SN Ia")
    path = save(tmp_path, "\n".join(("objectId,label, SubClass ", *rows)))
    labels, subclasses = load(path), load_subclasses(path)
    assert subclasses == {"a": "SN Ia", "b": "blazar", "d": "quasar", "e": "quasar", "f": "SLSN", "g": "SN Ia"}
    objects = ["g", "f", "e", "d", "c", "b", "a", "absent"]
    codes = encode_subclasses(objects, labels, subclasses)
    assert codes.dtype == np.int8
    assert codes.tolist() == [-1, -1, -1, -1, -1, SUBCLASSES.index("blazar"), SUBCLASSES.index("SN Ia"), -1]
    assert subclass_notes(objects, labels, subclasses) == {
        "objects with subclass quasar, not of their class": 2,
        "objects with subclass SLSN, not a subclass": 1,
        "objects with subclass SN Ia, not of their class": 1,
    }


def test_a_file_need_not_know_subclasses(tmp_path):
    assert load_subclasses(save(tmp_path, "objectId,label\na,SN\n")) == {}


def test_two_subclasses_for_one_object_or_two_columns_of_them_are_an_error(tmp_path):
    path = save(tmp_path, "objectId,label,subclass\na,SN,SN Ia\nb,SN,\na,SN,other SN\n")
    assert load(path) == {"a": "SN", "b": "SN"}
    with pytest.raises(InputError, match=r"labels.csv: object a has two subclasses, SN Ia and other SN .line 4."):
        load_subclasses(path)
    path = save(tmp_path, "objectId,label,subclass,Subclass\na,SN,SN Ia,SN Ia\n")
    with pytest.raises(InputError, match=r"labels.csv: more than one column subclass; found"):
        load(path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffOBJECTID , Label\r\na,SN\r\n\r\na,SN\r\nb, AGN,,\r\n",
        'objectId,label,note\n"a","SN","two lines,\nand, commas"\nb,AGN,"5"""\n',
    ],
)
def test_a_file_as_spreadsheets_write_it(tmp_path, text):
    """A byte-order mark, names in any case, spaces, CRLF, empty lines and cells, repeated rows; notes of many lines."""
    (tmp_path / "labels.csv").write_bytes(text.encode())
    assert load(tmp_path / "labels.csv") == {"a": "SN", "b": "AGN"}


def test_two_labels_for_one_object_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"labels.csv: object a has two labels, SN and AGN .line 4."):
        load(save(tmp_path, "objectId,label\na,SN\nb,AGN\na,AGN\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oid,label\na,SN\n", "no column objectId; found oid, label"),
        ("", "no column objectId, label; found nothing"),
        ("objectId,label,label\na,SN,AGN\n", "more than one column label; found objectId, label, label"),
        ("objectId,label,objectId\na,SN,b\n", "more than one column objectId; found"),
        ("objectId,label\na," + "x" * 200_000, "not a CSV file in UTF-8: field larger than"),
        ("objectId,label\na,SN\nb\n", "line 3: too few columns"),
        (
            "objectId;label\na;SN\n",
            "found objectId;label; .* by semicolons, expected commas",
        ),
        ("objectId\tlabel\na\tSN\n", "separated by tabs, expected commas"),
        ("objectId,label\na,SN\nb,SN,AGN\n", "line 3: 3 columns, expected 2"),
        ('objectId,label\na,SN\n"b,SN\nc,AGN\nd,VS\n', "line 3: a quote that opens here has no end"),
        ('objectId,label\na,SN\n"b,SN\nc,AGN\nd","VS"\ne,SN\n', "line 3: a quote that opens here runs on"),
        ('objectId,label\na,SN\nb,"SN\nc,AGN\n"\ne,SN\n', "line 3: a quote that opens here runs on"),
        ('objectId,label,note\na,SN,\nb,SN,"12\nc,AGN,5\nd,SN,"\n', "line 3: a quote that opens here runs on"),
        ('objectId,label\na,"S"N\n', "line 2: not a CSV file"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=r"labels.csv.*" + message):
        load(save(tmp_path, text))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_named(tmp_path, encoding):
    (tmp_path / "labels.csv").write_text("objectId,label\né,SN\n", encoding=encoding)
    with pytest.raises(InputError, match=r"labels.csv: not a CSV file in UTF-8"):
        load(tmp_path / "labels.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"labels\.csv"):
        load(tmp_path / "labels.csv")


def test_real_labels(ztf_dir):
    labels = load(ztf_dir / "labels.csv")
    codes = encode(labels, labels)
    assert (codes >= 0).sum() == 609  # of the objects that its README counts in our five classes
    assert notes(labels, labels) == {
        "objects with label TDE, not a class": 3,
        "objects with label conflict, not a class": 2,
    }


@pytest.mark.parametrize("extension", ["csv", "csv.gz", "parquet", "ecsv", "vot", "fits"])
def test_label_tables_of_every_kind_by_any_names(tmp_path, extension):
    path = tmp_path / f"labels.{extension}"
    columns = {"ztf_id": ["a", "b", "a", "c"], "class": ["SN", "AGN", "SN", ""], "type": ["SN Ia", "", "", ""]}
    if extension == "csv":
        path.write_text("\n".join(",".join(row) for row in (columns, *zip(*columns.values(), strict=True))))
    elif extension == "csv.gz":
        path.write_bytes(gzip.compress(b"ztf_id,class,type\na,SN,SN Ia\nb,AGN,\na,SN,\nc,,\n"))
    else:
        Table(columns).write(path, format={"vot": "votable"}.get(extension))
    names = {"objectId": "ztf_id", "label": "class", "subclass": "type"}
    assert load(path, names) == {"a": "SN", "b": "AGN"}
    assert load_subclasses(path, names) == {"a": "SN Ia"}
    assert load_subclasses(path, {"objectId": "ztf_id", "label": "class"}) == {}
    with pytest.raises(InputError, match=rf"labels.{extension}: no column objectId"):
        load(path)
    with pytest.raises(InputError, match=rf"labels.{extension}: no column kind; found ztf_id, class, type"):
        load_subclasses(path, names | {"subclass": "kind"})


def test_two_labels_in_a_table_are_named_by_the_row(tmp_path):
    path = tmp_path / "labels.fits"
    Table({"objectId": ["a", "b", "a"], "label": ["SN", "SN", "AGN"]}).write(path)
    with pytest.raises(InputError, match=r"labels.fits: object a has two labels, SN and AGN .row 3."):
        load(path)
