"""Tables of somebody else's probabilities: matched by candid, and refused where they are none."""

import numpy as np
import pytest

import jtss
from helpers.make_packets import alert, save
from helpers.programs import jtss as shell
from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError
from jtss.schema import CLASS_NAMES

BIG = 2481169255715015001  # does not survive a double
HEADER = "candid,VS,AGN"


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        path = tmp_path / "theirs.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_alerts_are_found_whatever_their_order(write):
    found = other_classifiers.read(write(HEADER, f"{BIG + 1},0.3,0.7", f"{BIG - 1},0.1,0.9", f"{BIG},0.2,0.8"))
    assert found.classes == ("VS", "AGN")
    np.testing.assert_array_equal(
        other_classifiers.matched(found, np.array([BIG, BIG - 1, BIG + 1, BIG])),
        [[0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]],
    )


@pytest.mark.parametrize("asked", [BIG - 1, BIG + 1, BIG + 3, 0, -5])
def test_what_is_not_there_is_not_the_one_beside_it(write, asked):
    """Before, between and behind the alerts of the file, at the distance of one."""
    found = other_classifiers.read(write(HEADER, f"{BIG},0.2,0.8", f"{BIG + 2},0.3,0.7"))
    assert np.isnan(other_classifiers.matched(found, np.array([asked]))).all()


@pytest.mark.parametrize("header", ["\ufeffcandid,VS,AGN", "candid, VS , AGN"])
def test_what_spreadsheets_add_to_the_header_is_no_part_of_a_name(write, header):
    theirs = other_classifiers.read(write(header, f"{BIG},0.2,0.8"))
    assert theirs.classes == ("VS", "AGN")
    np.testing.assert_array_equal(other_classifiers.matched(theirs, np.array([BIG])), [[0.2, 0.8]])


def test_an_empty_table_matches_nothing(write):
    found = other_classifiers.matched(other_classifiers.read(write(HEADER)), np.array([BIG]))
    assert found.shape == (1, 2)
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("oid,AGN,SN", "1,0.5,0.5"), "columns oid,AGN,SN; expected candid, and two or more of AGN,SN,VS"),
        (("candid,P_AGN,P_SN,P_QSO", "1,0.5,0.2,0.3"), "columns candid,P_AGN,P_SN,P_QSO; expected"),
        (("candid,AGN,P_AGN", "1,0.5,0.2"), "columns candid,AGN,P_AGN; expected"),
        (("candid;AGN;SN", "1;0,5;0,5"), "columns are separated by semicolons, expected commas: save it as CSV with"),
        (("# %ECSV 1.0", "# ---"), "an ECSV table, expected CSV: write it by table.write('F.csv')"),
        (("candid,class_name,probability", "1,Quasar,0.5"), "line 2: class 'Quasar', expected one of AGN"),
        (("candid,AGN,QSO", "1,0.5,0.5"), "columns candid,AGN,QSO"),
        (("candid,AGN", "1,0.5"), "columns candid,AGN; expected"),
        (("candid,AGN,AGN", "1,0.5,0.5"), "columns candid,AGN,AGN; expected"),
        ((HEADER, "1,0.5,0.5", "2,0.5"), "line 3: 2 values, expected 3"),
        ((HEADER, "2.48e18,0.5,0.5"), "line 2: candid '2.48e18', expected a whole number with all its digits"),
        ((HEADER, f"{2**63},0.5,0.5"), "line 2: candid '9223372036854775808', expected a whole number"),
        ((HEADER, f"{'1' * 5_000},0.5,0.5"), "with all its digits, in 64 bits"),
        ((HEADER, "1,0.5,much"), "line 2: probability 'much' of AGN, expected a finite number"),
        ((HEADER, "1,0.5,"), "line 2: probability '' of AGN, expected a finite number"),
        ((HEADER, "1,0.5,nan"), "line 2: probability 'nan' of AGN, expected a finite number"),
        ((HEADER, ",0.5,0.5"), "line 2: candid '', expected a whole number"),
        ((HEADER, "7,0.5,0.5", "1,0.5,0.5", "7,0.5,0.5"), "candid 7 is there more than once"),
    ],
)
def test_what_is_no_table_is_named(write, lines, message):
    path = write(*lines)
    with pytest.raises(PredictionsError) as error:
        other_classifiers.read(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_other_columns_and_their_order_do_not_matter(write):
    found = other_classifiers.read(write("ra,P_VS,candid,note,P_AGN", f'1.5,0.2,{BIG},"a, b",0.8'))
    assert (found.classes, found.candid.tolist(), found.probabilities.tolist()) == (("VS", "AGN"), [BIG], [[0.2, 0.8]])


def test_rows_without_an_answer_are_passed_over(write):
    found = other_classifiers.read(write(HEADER, f"{BIG},0.2,0.8", ",nan,nan", f"{BIG + 1},,"))
    assert found.candid.tolist() == [BIG]


def test_the_long_form_adds_up_subclasses(write):
    lines = [f"{BIG},QSO,0.3", f"{BIG},Blazar,0.2", f"{BIG},SNIa,0.5", f"{BIG + 1},AGN,1.0"]
    found = other_classifiers.read(write("candid,class_name,probability", *lines))
    assert (found.classes, found.candid.tolist()) == (("AGN", "SN"), [BIG, BIG + 1])
    np.testing.assert_allclose(found.probabilities, [[0.5, 0.5], [1.0, 0.0]])
    with pytest.raises(PredictionsError, match=f"candid {BIG} is there more than once"):
        other_classifiers.read(write("candid,class_name,probability", *lines, lines[0]))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Tables of ours of the same alerts, one of which could not be classified, and what they say."""
    folder = tmp_path_factory.mktemp("ours")
    records = [alert("ZTF18a", BIG), alert("ZTF18b", BIG + 1), alert("ZTF18c", 50, stamps=[None] * 3)]
    table = jtss.load_model("n1_enhanced").classify(records)
    table.write(folder / "table.csv")
    save(folder / "night", records)
    for suffix in ("csv", "parquet", "jsonl"):
        assert shell("classify", folder / "night", "-m", "n1_enhanced", "--out", folder / f"p.{suffix}") == 0
    return folder, table


@pytest.mark.parametrize("name", ["table.csv", "p.csv", "p.parquet", "p.jsonl"])
def test_what_we_write_we_read(ours, name):
    folder, table = ours
    found = other_classifiers.read(folder / name)
    assert (found.classes, found.candid.tolist()) == (CLASS_NAMES, [BIG, BIG + 1])
    expected = np.array([table[f"P_{of_class}"][:2] for of_class in CLASS_NAMES]).T
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-7)
    said = other_classifiers.predicted(folder / name, "x", np.array(["ZTF18b", "ZTF18c", "ZTF18a"]))
    best = expected.argmax(axis=1)
    assert said.tolist() == [best[1], other_classifiers.NO_ANSWER, best[0]]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00candid"])
def test_a_file_that_is_no_text_table_is_named(tmp_path, content):
    path = tmp_path / "theirs.csv"
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match=r"theirs\.csv"):
        other_classifiers.read(path)
    with pytest.raises(PredictionsError, match=r"theirs\.csv"):
        other_classifiers.predicted(path, "theirs", np.array(["ZTF18a"]))


def test_the_published_tables_can_be_read(ztf_dir):
    for path in ztf_dir.glob("golden/*/predictions.csv"):
        found = other_classifiers.read(path)
        assert found.probabilities.shape == (1405, 5)
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
