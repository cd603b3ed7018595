"""A table has one row an object with its reason, and every format keeps it."""

import numpy as np
import pytest
from astropy.table import Table

import jtss
from helpers.make_packets import alert, night, save

CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")


@pytest.fixture(scope="module")
def model():
    return jtss.load_model("n1_enhanced")


def test_a_table_has_a_row_for_every_object_and_its_reason(model, tmp_path):
    broken = alert("ZTF18broken", 50, stamps=[None] * 3)
    table = model.classify(save(tmp_path / "night", [*night(), broken]))
    assert table.colnames == [
        "object_id",
        "candid",
        "class",
        "probability",
        "n_detections",
        *(f"P_{c}" for c in CLASSES),
        "note",
    ]
    assert list(table["object_id"]) == ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d", "ZTF18e", "ZTF18broken"]
    assert table["candid"].tolist() == [10, 20, 30, 31, 32, None]
    assert table["candid"].dtype == np.int64
    chances = np.array([table[f"P_{name}"] for name in CLASSES]).T
    np.testing.assert_allclose(chances[:5].sum(axis=1), 1, rtol=1e-6)
    assert np.isnan(chances[5]).all()
    assert [CLASSES[i] for i in chances[:5].argmax(axis=1)] == table["class"][:5].tolist()
    np.testing.assert_array_equal(table["probability"][:5], chances[:5].max(axis=1))
    assert (table["class"][5], table["note"][5], table["note"][0]) == ("", "missing_stamp", "")
    assert table.meta == {
        "model": "n1_enhanced",
        "version": model.version,
        "jtss": jtss.__version__,
        "read": 13,
        "kept": 10,
    }


@pytest.mark.parametrize("name", ["t.ecsv", "t.vot", "t.parquet", "t.fits", "t.csv"])
def test_tables_keep_every_candid(model, tmp_path, name):
    big = 2481169255715015001  # does not survive a double
    table = model.classify([alert(candid=big), alert("ZTF18b", 50, stamps=[None] * 3)])
    how = {"format": "votable"} if name == "t.vot" else {}
    table.write(tmp_path / name, **how)
    read = Table.read(tmp_path / name)
    assert read.colnames == table.colnames
    assert read["candid"][0] == big
    assert read["candid"].mask.tolist() == [False, True]
    np.testing.assert_array_equal(np.ma.filled(read["P_SN"], np.nan), table["P_SN"])
    assert [str(text) for text in read["object_id"]] == ["ZTF18aaaaaaa", "ZTF18b"]


def test_a_table_becomes_a_data_frame(model):
    big = 2481169255715015001
    frame = model.classify([alert(candid=big), alert("ZTF18b", 50, stamps=[None] * 3)]).to_pandas()
    assert frame["candid"].tolist()[0] == big
    assert frame["candid"].isna().tolist() == [False, True]
    assert frame["class"].tolist()[1] == ""
