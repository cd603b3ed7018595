"""Alerts come in any form, and what is none is bad input; those that are read give account."""

import io
from functools import partial

import fastavro
import numpy as np
import pytest

import jtss
from data_prep.simulate.packets import encode_file
from helpers.make_packets import alert, night, save, save_tar
from jtss.errors import InputError

CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")


@pytest.fixture(scope="module")
def model():
    return jtss.load_model("n1_enhanced")


def test_alerts_come_in_any_form(model, tmp_path):
    records = night()
    folder = save(tmp_path / "night", records)
    data = encode_file(records)
    (tmp_path / "all.avro").write_bytes(data)
    archive = save_tar(tmp_path / "all.tar.gz", {"all.avro": data})
    decoded = list(fastavro.reader(io.BytesIO(data)))
    expected = model.classify(folder)
    with open(tmp_path / "all.avro", "rb") as file, open(archive, "rb") as packed:
        forms = {
            "text": str(folder),
            "several": [tmp_path / "all.avro", archive],  # each alert twice counts once
            "bytes": data,
            "archive": archive.read_bytes(),
            "file": file,
            "packed file": packed,
            "records": decoded,
            "generator": (record for record in decoded),
            "alerts": jtss.read_alerts(folder),
        }
        for form, given in forms.items():
            table = model.classify(given)
            assert table["object_id"].tolist() == expected["object_id"].tolist(), form
            assert table["candid"].tolist() == expected["candid"].tolist(), form
            for name in CLASSES:
                np.testing.assert_allclose(table[f"P_{name}"], expected[f"P_{name}"], atol=1e-6, err_msg=form)
        assert not file.closed
    assert len(model.classify([])) == 0
    assert model.classify(decoded[0])["object_id"].tolist() == ["ZTF18a"]


def test_a_record_as_brokers_hand_it_over(model):
    record = alert(candid=2481169255715015001)
    expected = model.classify(record)
    candidate = {
        name: np.float64(value) if isinstance(value, float) else value for name, value in record["candidate"].items()
    }
    cutouts = {name: value["stampData"] for name, value in record.items() if name.startswith("cutout")}
    for given in (
        {"objectId": record["objectId"], "candidate": candidate, **cutouts},
        record | {"candid": np.int64(record["candid"]), "objectId": np.str_(record["objectId"])},
        record | {"candid": str(record["candid"])},
    ):
        table = model.classify(given)
        assert table["candid"].tolist() == [2481169255715015001]
        assert table["P_SN"][0] == pytest.approx(expected["P_SN"][0], abs=1e-6)


@pytest.mark.parametrize("candid", [1.5, True, "", "one", None, 2**63])
def test_a_record_with_a_candid_that_is_none_is_a_rejection(candid):
    record = alert()
    record["candid"] = candid
    record["candidate"] = {name: value for name, value in record["candidate"].items() if name != "candid"}
    alerts = jtss.read_alerts([record, alert("ZTF18b", 7)])
    assert [(lost.reason, lost.object_id) for lost in alerts.rejections()] == [("bad_candid", "ZTF18aaaaaaa")]
    assert alerts.rejected == {"ZTF18aaaaaaa": "bad_candid"}


def test_alerts_give_account(tmp_path):
    with jtss.read_alerts(save(tmp_path / "night", night())) as alerts:
        assert (len(alerts), alerts.object_ids) == (5, ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d", "ZTF18e"])
        assert alerts.ledger == {
            "read": 12,
            "kept": 10,
            "dropped": {"beyond_first_5": 1, "within_6_hours": 1},
            "notes": alerts.ledger["notes"],
        }
        (batch,) = alerts.batches()
        assert batch.n_alerts.tolist() == [5, 2, 1, 1, 1]


def test_alerts_that_are_closed_say_so(model):
    """Whoever asks, and also where they are closed between two batches; the account stays."""
    with jtss.read_alerts(alert()) as alerts:
        begun = alerts.batches(), alerts.rejections()
    asked = [partial(next, each, None) for each in begun]
    asked += [alerts.batches, alerts.rejections, partial(model.classify, alerts), partial(model.predict_proba, alerts)]
    for ask in asked:
        with pytest.raises(InputError, match="<Alerts of 1 objects: 1 read, 1 kept>: closed; use them inside"):
            ask()
    assert (alerts.ledger["kept"], alerts.object_ids) == (1, ["ZTF18aaaaaaa"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("absent.avro", "absent.avro"),
        (b"no alert", "not_avro"),
        ({"a": 1}, "other_schema"),
        (io.StringIO("text"), "rb"),
        ([3.5], "float"),
        (7, "int"),
    ],
)
def test_what_cannot_hold_alerts_is_bad_input(model, given, says):
    with pytest.raises(InputError, match=says):
        model.classify(given)
