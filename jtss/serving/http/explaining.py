"""Why a model answers a packet as it does, as a document with pictures in it."""

import base64
from io import BytesIO

import numpy as np
from matplotlib import colormaps, image

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.inference.model import Model
from jtss.reports.explanation import packet
from jtss.reports.explanation.occlusion import per_pixel
from jtss.reports.explanation.packet import ExplainedPacket
from jtss.reports.explanation.page import LEAST_SCALE
from jtss.reports.page import plain
from jtss.reports.stamps import mosaic
from jtss.schema import CHANNEL_NAMES
from jtss.serving import answering

DENSEST = 0.75  # of the shade over a stamp, so that the stamp is seen through it


def explanation(model: Model, alert: Alert, *, calibrated: bool = False) -> dict | Rejection:
    """What the answer to an alert rests on, see `documents.Explanation`; or why it has none.

    Args:
        calibrated: as `answering.answerer` has it.

    Raises:
        OSError, MemoryError, JaxRuntimeError: the machine fails, not the packet.
    """
    try:
        one = answering.alone(alert)
        if isinstance(one, Rejection):
            return one
        document, explained = packet.explain(model, one, "", "", calibrated=calibrated)
        return _document(document, explained)
    except answering.OF_THE_MACHINE:
        raise
    except Exception as error:  # as in `answering.answers`
        return answering.failed(alert, error)


def pictured(alert: Alert) -> dict | Rejection:
    """The stamps of an alert, see `documents.Stamps`; or why it has none."""
    one = answering.alone(alert)
    if isinstance(one, Rejection):
        return one
    return {"objectId": alert.object_id, "candid": alert.candid, "stamps": _stamps(one.stamps[0])}


def _document(document: dict, explained: ExplainedPacket) -> dict:
    why = document["explained"]
    return plain(
        {
            "objectId": document["object_id"],
            "candid": document["candid"],
            "model": why["run"],
            "classifier_version": why["version"],
            "class": why["class"],
            "probability": why["probability"],
            "log_odds": why["log_odds"],
            "parts": why["groups"],
            "rows": document["rows"],
            "stamps": _stamps(explained.alert.stamps[0]),
            "hidden": explained.occlusion and _hidden(why["occlusion"], explained),
        }
    )


def _hidden(numbers: dict, explained: ExplainedPacket) -> dict:
    """Of the alert's own stamps, the first of those that the model reads."""
    stamps = explained.stamps[0]
    drop = per_pixel(explained.occlusion, stamps.shape[0])[0]
    scale = max(float(np.abs(drop).max()), LEAST_SCALE)
    return {
        "patch_pixels": numbers["patch_pixels"],
        "scale": scale,
        "images": [
            _picture(name, stamps[..., channel])
            | {"shade_png": _png(_shade(drop[channel] / scale)), "largest_drop": numbers["largest_drop"][0][channel]}
            for channel, name in enumerate(numbers["channels"])
        ],
    }


def _shade(share: np.ndarray) -> np.ndarray:
    """[S, S, 4]: red where a share is positive and blue where negative, the denser the larger; north up."""
    share = share[::-1]
    colours = colormaps["RdBu_r"]((1 + share) / 2)
    colours[..., 3] = DENSEST * np.abs(share) ** 0.5
    return colours


def _stamps(stamp: np.ndarray) -> list[dict]:
    """Of [S, S, C] each channel."""
    return [_picture(name, stamp[..., channel].astype(np.float32)) for channel, name in enumerate(CHANNEL_NAMES)]


def _picture(name: str, stamp: np.ndarray) -> dict:
    return {"channel": name, "png": _png(mosaic(stamp[None, ..., None]))}


def _png(colours: np.ndarray) -> str:
    file = BytesIO()
    image.imsave(file, np.clip(colours, 0, 1), format="png")
    return base64.b64encode(file.getvalue()).decode()
