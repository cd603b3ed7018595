"""The table of candidates: what it says of objects, and which tables are refused."""

import pytest

from data_prep.published import candidates
from data_prep.published.candidates import CLASS_OF_SET, LEFT_OF_EACH, SPLITS, SUBCLASS_OF_SET
from helpers import made_btsbot
from helpers.make_packets import small
from jtss.errors import InputError
from jtss.schema import CLASS_NAMES, CLASS_OF_SUBCLASS, SPLIT_NAMES

NAME = "ZTF18aaaaaaa"


def row(**changes) -> dict:
    """A row of the table, as the helper makes it of a packet."""
    said = {NAME: {"label": 1, "source_set": "trues", "split": "train", "N": 1, "is_SN": True}}
    return made_btsbot.rows([small(2451405905715015000)], said)[0] | changes


@pytest.fixture
def table(tmp_path):
    """Write a table of rows, and its path."""

    def write(*rows: dict):
        made_btsbot.write_table(tmp_path / "cand.csv", rows)
        return tmp_path / "cand.csv"

    return write


def of_objects(path) -> dict:
    return candidates.objects([path])[0]


def test_the_tables_of_names_are_of_our_classes():
    assert {*CLASS_OF_SET.values()} <= {*CLASS_NAMES}
    assert {*SPLITS.values()} == {*SPLIT_NAMES}
    for origin, subclass in SUBCLASS_OF_SET.items():
        assert CLASS_OF_SUBCLASS[subclass] == CLASS_OF_SET[origin]


@pytest.mark.parametrize(
    ("said", "label", "subclass"),
    [
        ({"source_set": "trues"}, "SN", ""),
        ({"source_set": "trues", "is_SN": False}, "trues not said to be SN", ""),
        ({"source_set": "extIas"}, "SN", "SN Ia"),
        ({"source_set": "dims", "label": 0}, "SN", ""),
        ({"source_set": "dims", "label": 0, "is_SN": False}, "dims not said to be SN", ""),
        ({"source_set": "dims", "label": 0, "is_SN": ""}, "dims not said to be SN", ""),
        ({"source_set": "vars", "label": 0, "is_SN": False}, "vars", ""),
        ({"source_set": "rejects", "label": 0, "is_SN": False}, "rejects", ""),
        ({"source_set": "junk", "label": 0, "is_SN": False}, "junk", ""),
        ({"source_set": "extra_agn", "label": 0, "is_SN": False}, "AGN", ""),
        ({"source_set": "extra_cvs", "label": 0, "is_SN": False}, "VS", "cataclysmic"),
        ({"source_set": "", "is_SN": ""}, "SN", ""),
        ({"source_set": "", "is_SN": "", "label": 0}, "no bright transient", ""),
        ({"source_set": "", "is_SN": "", "label": ""}, "no bright transient", ""),
    ],
)
def test_what_the_origin_of_an_object_says_of_its_class(table, said, label, subclass):
    found = of_objects(table(row(**said)))[NAME]
    assert (found.label, found.subclass) == (label, subclass)


@pytest.mark.parametrize(("word", "split"), [("train", "train"), ("val", "validation"), ("test", "test"), ("", "")])
def test_splits(table, word, split):
    assert of_objects(table(row(split=word)))[NAME].split == split


@pytest.mark.parametrize(
    ("numbers", "is_cut"),
    [
        (range(1, LEFT_OF_EACH), False),
        (range(1, LEFT_OF_EACH + 1), True),  # a hundred
        ([""] * LEFT_OF_EACH, True),
        ([3, 99], False),
        ([3, 100], True),  # a hundred, some of which are not public
        ([3, 714], True),  # the latest hundred of more, some of which are not public
        (range(1, LEFT_OF_EACH + 2), False),  # test objects have all of their alerts
    ],
)
def test_objects_that_may_lack_their_beginning(table, numbers, is_cut):
    found = of_objects(table(*(row(N=number) for number in numbers)))[NAME]
    assert (found.n_rows, found.is_cut) == (len(numbers), is_cut)


def test_a_record_is_that_of_the_packet(table):
    packet = small(2451405905715015000)
    (record,) = candidates.rows(table(row()))
    assert (record["objectId"], record["candid"]) == (NAME, 2451405905715015000)
    given = {name: value for name, value in record["candidate"].items() if value is not None}
    expected = {name: packet["candidate"][name] for name in given}
    assert given == expected | {"isdiffpos": "t"}
    assert {name for name, value in record["candidate"].items() if value is None} == {"rb"}


@pytest.mark.parametrize(("written", "sign"), [("True", "t"), ("False", "f"), ("t", "t"), ("0", "0"), ("x", "x")])
def test_signs(table, written, sign):
    (record,) = candidates.rows(table(row(isdiffpos=written)))
    assert record["candidate"]["isdiffpos"] == sign


@pytest.mark.parametrize("written", ["2.45141e+18", "2451405905715015000.0", "", "-1", "99999999999999999999"])
def test_a_candid_that_is_not_whole_is_none(table, written):
    (record,) = candidates.rows(table(row(candid=written)))
    assert record["candid"] == 0


def test_a_table_with_rb_has_it(table):
    assert candidates.lacking(table(row())) == ["rb"]
    path = table(row(rb=0.75))
    assert candidates.lacking(path) == []
    assert next(candidates.rows(path))["candidate"]["rb"] == 0.75


def test_tables_of_parts_count_their_rows(tmp_path):
    paths = []
    for name, count in (("a", 3), ("b", 2)):
        paths.append(tmp_path / name)
        made_btsbot.write_table(paths[-1], [row()] * count)
    found, counts = candidates.objects(paths)
    assert (counts, found[NAME].n_rows) == ([3, 2], 5)


@pytest.mark.parametrize(
    ("name", "value"), [("split", "test"), ("label", 0), ("source_set", "vars"), ("is_SN", False), ("split", "")]
)
def test_an_object_of_two_labels_is_refused(table, name, value):
    path = table(row(), row(), row(**{name: value}))
    with pytest.raises(InputError, match=rf"row 3: {name} of object {NAME} is .*, in .* row 1 it is .*; expected one"):
        candidates.objects([path])


@pytest.mark.parametrize(("name", "value"), [("split", "holdout"), ("label", "SN"), ("is_SN", "maybe")])
def test_words_that_are_none_are_refused(table, name, value):
    with pytest.raises(InputError, match=f"row 1: {name} is '{value}', expected one of "):
        candidates.objects([table(row(**{name: value}))])


def lines(path) -> list[str]:
    return path.read_text().splitlines()


FAULTS = {
    "another release": (lambda text: text.replace("distpsnr3", "dist3"), "no column distpsnr3 among"),
    "a column twice": (lambda text: text.replace("new_drb", "magpsf"), "more than one column magpsf among"),
    "semicolons": (lambda text: text.replace(",", ";"), "no column objectId, candid"),
    "text": (lambda text: text.replace("18.5", "bright"), "column magpsf: Row #2"),
    "a row cut short": (lambda text: text[:-40], "Expected"),
    "nothing": (lambda text: "", "not a CSV file"),
    "not text": (lambda text: text.replace(NAME, "\udcff\udcfe"), "UTF8"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_tables_that_are_none_are_refused_by_name(table, name):
    path = table(row(), row())
    change, message = FAULTS[name]
    path.write_bytes(change(path.read_text()).encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as refused:
        (candidates.objects([path]), list(candidates.rows(path)))
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.csv: no such file"):
        candidates.objects([tmp_path / "absent.csv"])
