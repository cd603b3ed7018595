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
from jtss.export import samples
from jtss.export.signature import OUTPUTS, STAMPS
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
    chosen = _chosen(model, sequences)
    own = chosen.object_start[-2]  # the last object's first row
    greys, metadata = np.round(chosen.stamps.astype(np.float32) * (GREYS - 1)), chosen.metadata.copy()
    greys[chosen.n_alerts[:-1].sum() :, :, :CUT_PIX] = np.nan
    metadata[own:, [schema.METADATA_NAMES.index(name) for name in schema.COUNTS]] = np.nan
    chosen = replace(chosen, metadata=metadata, stamps=min_max(greys).astype(np.float16))
    index, raw = samples.raw_inputs(chosen, model.config, layout, greys)
    _, given = samples.answers(model, chosen)
    last = np.append(np.diff(index) > 0, True)  # of each object the latest packet
    raw, given = ({name: array[last] for name, array in arrays.items()} for arrays in (raw, given))
    if STAMPS in raw:
        raw[STAMPS] = np.nan_to_num(raw[STAMPS], nan=NO_PIXEL).astype(np.uint8)
    return json.dumps({name: _packed(array) for name, array in (raw | given).items()})


def _chosen(model: Model, sequences: Sequences) -> Sequences:
    """The first objects of which a model reads all that it can: as many alerts, or a past."""
    n = model.config.n_detections
    if model.config.packet.rows:
        enough = np.flatnonzero(sequences.n_rows > sequences.n_alerts)
    else:
        sequences = views.alerts(sequences)
        enough = np.flatnonzero(sequences.n_rows >= n)
    if not len(enough):
        wanted = "a past" if model.config.packet.rows else f"{n} alerts"
        raise InputError(f"golden vectors of {model.label}: no object has {wanted}")
    return schema.take(sequences, enough[: max(1, min(MOST_OBJECTS, MOST_STAMPS // n))])


def read(text: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The inputs, float32, and the outputs of golden vectors, by name.

    Each array is {"dtype", "shape", "data"}: bytes in row order, little-endian, compressed by zlib, in base64. Stamps
    are uint8, in which 255 is NaN.
    """
    arrays = {name: _unpacked(packed) for name, packed in json.loads(text).items()}
    given = {name: arrays.pop(name) for name in OUTPUTS if name in arrays}
    if STAMPS in arrays:
        stamps = arrays[STAMPS]
        arrays[STAMPS] = np.where(stamps == NO_PIXEL, np.float32(np.nan), stamps.astype(np.float32))
    return arrays, given


def _packed(array: np.ndarray) -> dict:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def _unpacked(packed: dict) -> np.ndarray:
    data = zlib.decompress(base64.b64decode(packed["data"]))
    return np.frombuffer(data, np.dtype(packed["dtype"]).newbyteorder("<")).reshape(packed["shape"])
