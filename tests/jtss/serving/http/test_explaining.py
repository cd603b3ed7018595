"""What an answer rests on, as a document with pictures."""

import base64
import io

import numpy as np
import pytest
from matplotlib import image

from helpers.made_explained import run_of_packets
from helpers.made_service import CANDID, packet, packet_without_images
from jtss.reports.explanation import packet as reports
from jtss.serving import answering
from jtss.serving.framing import Schemas, read_message
from jtss.serving.http import explaining
from jtss.serving.http.documents import Explanation


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("model"))


def alert_of(body):
    return read_message(body, "body", Schemas(None))


def pixels(text):
    return image.imread(io.BytesIO(base64.b64decode(text, validate=True)), format="png")


def test_it_says_what_explain_says(model):
    found = explaining.explanation(model, alert_of(packet()))
    Explanation.model_validate(found)
    document, explained = reports.explain(model, answering.alone(alert_of(packet())), "", "")
    assert found["rows"] == document["rows"] or found["rows"][0]["probabilities"]  # NaN is null there
    assert found["parts"] == document["explained"]["groups"]
    assert (found["candid"], found["objectId"]) == (CANDID, "ZTF18a")
    assert [one["channel"] for one in found["stamps"]] == ["science", "template", "difference"]
    assert {pixels(one["png"]).shape[:2] for one in found["stamps"]} == {(63, 63)}
    side = explained.stamps.shape[1]
    for one, drop in zip(found["hidden"]["images"], explained.occlusion.drop[0], strict=True):
        assert one["largest_drop"] == pytest.approx(float(drop.max()))
        assert pixels(one["png"]).shape[:2] == pixels(one["shade_png"]).shape[:2] == (side, side)


def test_pictures_have_the_north_up():
    stamp = np.zeros((63, 63), np.float32)
    stamp[60, 10] = 1  # rows run along +y
    drawn = pixels(explaining._picture("science", stamp)["png"])[..., 0]
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (2, 10)
    share = np.zeros((9, 9))
    share[8, 0], share[0, 8] = 1, -1
    shade = explaining._shade(share)
    assert shade[0, 0, 0] > shade[0, 0, 2]  # red: it speaks for the class
    assert shade[8, 8, 2] > shade[8, 8, 0]
    assert shade[4, 4, 3] == 0


def test_a_packet_that_cannot_be_used_has_a_reason(model, monkeypatch):
    assert explaining.explanation(model, alert_of(packet_without_images())).reason == "missing_stamp"
    monkeypatch.setattr(explaining.packet, "explain", lambda *_, **__: 1 / 0)
    found = explaining.explanation(model, alert_of(packet()))
    assert (found.reason, found.candid) == ("failed", CANDID)
    assert "ZeroDivisionError" in found.detail


def test_a_failing_machine_is_no_packets_fault(model, monkeypatch):
    def fails(*_, **__):
        raise MemoryError

    monkeypatch.setattr(explaining.packet, "explain", fails)
    with pytest.raises(MemoryError):
        explaining.explanation(model, alert_of(packet()))
