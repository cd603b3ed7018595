"""What an exported model takes and gives: names, shapes, meaning; and the raw arrays of sequences in that form."""

from dataclasses import dataclass, replace

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference import calibration, predict
from jtss.inference.model import Model
from jtss.schema import CHANNEL_NAMES, STAMP_SIDE, Sequences

STAMPS, METADATA, TIME_GAP, ALLWISE = "stamps", "metadata", schema.TIME_GAP.name, "allwise"
PROBABILITIES = "probabilities"  # the output
LAYOUTS = ("NHWC", "NCHW")
BATCH = "batch"  # the name of the axis that may have any length
# Of the catalogue, what is no field of ZTF's `candidate` record.
MADE_OF = {
    "non_detections": "ncovhist - ndethist",
    "gal_l": "galactic longitude of ra, dec",
    "gal_b": "galactic latitude of ra, dec",
    "ecl_lon": "ecliptic longitude of ra, dec (mean ecliptic and equinox of J2000)",
    "ecl_lat": "ecliptic latitude of ra, dec (mean ecliptic and equinox of J2000)",
}


@dataclass(frozen=True)
class Input:
    """One array that an exported model takes, of float32.

    Attributes:
        name: of the input.
        shape: of one object; the batch comes before it.
        meaning: what it holds, with its unit.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str


def exportable(model: Model) -> Model:
    """The model with the arithmetic of exported ones, float32.

    Raises:
        InputError: it reads packets of rows, which cannot be exported.
    """
    if model.config.packet.rows:
        raise InputError(
            f"{model.label}: reads the rows of a packet's past, which export does not support yet; expected a model of"
            " single alerts or of sequences, as n1_enhanced or n3_best"
        )
    return replace(model, config=replace(model.config, precision="float32"))


def inputs_of(config: Config, layout: str = LAYOUTS[0]) -> tuple[Input, ...]:
    """The inputs of which a model reads something, in this order: stamps, metadata, time_gap, allwise.

    Args:
        config: of a model of single alerts or of sequences.
        layout: of the stamps; where their channels stand, "NHWC" last or "NCHW" first.
    """
    n, side, channels = config.n_detections, STAMP_SIDE, len(CHANNEL_NAMES)
    each = () if n == 1 else (n,)
    pixels = (side, side, channels) if layout == "NHWC" else (channels, side, side)
    detections = "" if n == 1 else f" of each of the first {n} alerts, at least six hours apart, in time order"
    names = ", ".join(CHANNEL_NAMES)
    every = {
        STAMPS: Input(STAMPS, (*each, *pixels), f"pixels of {names}{detections}; any unit, NaN = no pixel"),
        METADATA: Input(
            METADATA,
            (*each, len(schema.METADATA)),
            f"metadata{detections}, in the order of its columns; NaN = missing",
        ),
        TIME_GAP: Input(
            TIME_GAP,
            (n,),
            f"time since the alert before{detections} [day], 0 for the first; a difference of float64 Julian dates",
        ),
        ALLWISE: Input(
            ALLWISE,
            (len(schema.ALLWISE_BANDS),),
            f"{', '.join(schema.ALLWISE_BANDS)} of the AllWISE source within {schema.MATCH_RADIUS_ARCSEC:g} arcsec"
            " [mag], NaN = none",
        ),
    }
    return tuple(every[name] for name in every if name in _read(config))


def _read(config: Config) -> set[str]:
    values = {*config.metadata.dynamic, *config.metadata.static}
    colours = {*schema.COLOUR_NAMES, schema.availability("allwise")}
    read = {
        STAMPS: bool(config.stamp.channels),
        METADATA: bool(values - colours - {TIME_GAP}),
        TIME_GAP: TIME_GAP in values,
        ALLWISE: bool(values & set(schema.COLOUR_NAMES)),
    }
    return {name for name, is_read in read.items() if is_read}


def columns_read(config: Config) -> tuple[str, ...]:
    """Which of the columns of `metadata` a model reads, in their order; whatever is in the others does not count."""
    values = {*config.metadata.dynamic, *config.metadata.static}
    sources = {schema.DERIVED_FROM.get(name, name) for name in values}
    return tuple(name for name in schema.METADATA_NAMES if name in sources)


def raw_inputs(sequences: Sequences, config: Config, layout: str = LAYOUTS[0]) -> tuple[np.ndarray, dict]:
    """The objects that have as many alerts as a model reads, as its exported file takes them.

    Returns:
        [B] int64, which of the objects these are; and by the names of the inputs arrays [B, …], see `inputs_of`.
    """
    n, alerts = config.n_detections, views.alerts(sequences)
    index = np.flatnonzero(alerts.n_rows >= n)
    rows = alerts.object_start[index, None] + np.arange(n)
    stamps, jd = alerts.stamps[rows].astype(np.float32), alerts.jd[rows]
    every = {
        STAMPS: stamps if layout == "NHWC" else np.moveaxis(stamps, -1, -3),
        METADATA: alerts.metadata[rows],
        TIME_GAP: np.diff(jd, axis=1, prepend=jd[:, :1]),
        ALLWISE: alerts.allwise[index],
    }
    return index, {
        each.name: np.ascontiguousarray(every[each.name].reshape(len(index), *each.shape), np.float32)
        for each in inputs_of(config, layout)
    }


def answers(model: Model, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """What jtss answers: as `predict` does, calibrated where the model has a temperature."""
    index, probabilities = predict.predict(model, sequences)
    return index, calibration.scaled(probabilities, model.temperature or 1.0)
