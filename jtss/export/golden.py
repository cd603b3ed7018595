"""Golden vectors: a few raw inputs and jtss's answers to them, kept in the file, so that whoever loads it can check it.

The stamps are of a few grey levels, as small whole numbers, which compress well and are the same in every type.
"""

import base64
import json
import zlib
from dataclasses import replace

import numpy as np

from jtss import schema, views
from jtss.errors import InputError
from jtss.export import signature
from jtss.export.signature import PROBABILITIES, STAMPS
from jtss.inference.model import Model
from jtss.scaling import min_max
from jtss.schema import Sequences

MOST_STAMPS, MOST_OBJECTS = 6, 3
GREYS = 16  # levels of a pixel, from 0
NO_PIXEL = 255  # as uint8: NaN
CUT_PIX = 12  # columns of the last object's stamps without a pixel, as at the edge of an image


def make(model: Model, sequences: Sequences, layout: str) -> str:
    """Golden vectors as JSON, see `read`.

    Args:
        model: exportable.
        sequences: objects, some of them with as many alerts as the model reads. The last one that is taken gets stamps
            of the edge of an image and metadata without counters.
        layout: of the stamps, see `signature.inputs_of`.

    Raises:
        InputError: no object has as many alerts as the model reads.
    """
    n, alerts = model.config.n_detections, views.alerts(sequences)
    enough = np.flatnonzero(alerts.n_rows >= n)[: max(1, min(MOST_OBJECTS, MOST_STAMPS // n))]
    if not len(enough):
        raise InputError(f"golden vectors of {model.label}: no object has {n} alerts")
    chosen = schema.take(alerts, enough)
    own = chosen.object_start[-2]  # the last object's first alert
    greys, metadata = np.round(chosen.stamps.astype(np.float32) * (GREYS - 1)), chosen.metadata.copy()
    greys[own:, :, :CUT_PIX] = np.nan
    metadata[own:, [schema.METADATA_NAMES.index(name) for name in schema.COUNTS]] = np.nan
    chosen = replace(chosen, metadata=metadata)
    raw = signature.raw_inputs(replace(chosen, stamps=greys.astype(np.float16)), model.config, layout)[1]
    _, probabilities = signature.answers(model, replace(chosen, stamps=min_max(greys).astype(np.float16)))
    if STAMPS in raw:
        raw[STAMPS] = np.nan_to_num(raw[STAMPS], nan=NO_PIXEL).astype(np.uint8)
    return json.dumps({name: _packed(array) for name, array in (raw | {PROBABILITIES: probabilities}).items()})


def read(text: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The inputs by name, float32, and the probabilities [B, L] of golden vectors.

    Each array is {"dtype", "shape", "data"}: bytes in row order, little-endian, compressed by zlib, in base64. Stamps
    are uint8, in which 255 is NaN.
    """
    arrays = {name: _unpacked(packed) for name, packed in json.loads(text).items()}
    probabilities = arrays.pop(PROBABILITIES)
    if STAMPS in arrays:
        stamps = arrays[STAMPS]
        arrays[STAMPS] = np.where(stamps == NO_PIXEL, np.float32(np.nan), stamps.astype(np.float32))
    return arrays, probabilities


def _packed(array: np.ndarray) -> dict:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def _unpacked(packed: dict) -> np.ndarray:
    data = zlib.decompress(base64.b64decode(packed["data"]))
    return np.frombuffer(data, np.dtype(packed["dtype"]).newbyteorder("<")).reshape(packed["shape"])
