"""Tables of somebody else's probabilities: matched by candid, and refused where they are none."""

import numpy as np
import pytest

from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError

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
        (("oid,AGN,SN", "1,0.5,0.5"), "columns oid,AGN,SN; expected candid, then two or more of AGN,SN,VS"),
        (("candid,AGN,QSO", "1,0.5,0.5"), "columns candid,AGN,QSO"),
        (("candid,AGN", "1,0.5"), "columns candid,AGN; expected"),
        (("candid,AGN,AGN", "1,0.5,0.5"), "columns candid,AGN,AGN; expected"),
        ((HEADER, "1,0.5,0.5", "2,0.5"), "line 3: 2 values, expected 3"),
        ((HEADER, "2.48e18,0.5,0.5"), "line 2: candid '2.48e18', expected a whole number with all its digits"),
        ((HEADER, f"{2**63},0.5,0.5"), "line 2: candid '9223372036854775808', expected a whole number"),
        ((HEADER, f"{'1' * 5_000},0.5,0.5"), "with all its digits, in 64 bits"),
        ((HEADER, "1,0.5,much"), "line 2: could not convert"),
        ((HEADER, "1,0.5,"), "line 2: could not convert"),
        ((HEADER, "1,0.5,nan"), "line 2: probabilities 0.5,nan, expected finite"),
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
