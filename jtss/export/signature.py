"""What an exported model takes and gives: names, shapes, meaning."""

from dataclasses import dataclass, replace

from jtss import schema
from jtss.config.settings import Config
from jtss.inference.model import Model
from jtss.network.packets import CHANGE_OF, MOST_ROWS
from jtss.schema import CHANNEL_NAMES, STAMP_SIDE

STAMPS, METADATA, TIME_GAP, ALLWISE = "stamps", "metadata", schema.TIME_GAP.name, "allwise"
FID, HISTORY = "fid", "history"  # of packets
OUTPUTS = PROBABILITIES, SUBCLASSES, OUTLIER = "probabilities", "subclasses", "outlier"
LAYOUTS = ("NHWC", "NCHW")
BATCH, ROWS = "batch", "rows"  # the names of axes that may have any length
DAYS = "days"
HISTORY_COLUMNS = (DAYS, FID, *schema.TOLD_NAMES)
# Of the catalogue, what is no field of ZTF's `candidate` record.
MADE_OF = {
    "non_detections": "ncovhist - ndethist",
    "gal_l": "galactic longitude of ra, dec",
    "gal_b": "galactic latitude of ra, dec",
    "ecl_lon": "ecliptic longitude of ra, dec (mean ecliptic and equinox of J2000)",
    "ecl_lat": "ecliptic latitude of ra, dec (mean ecliptic and equinox of J2000)",
}


@dataclass(frozen=True)
class Array:
    """One array that an exported model takes or gives, of float32.

    Attributes:
        name: of the input or output.
        shape: of one object; the batch comes before it. A text is an axis of any length.
        meaning: what it holds, with its unit.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str


def exportable(model: Model) -> Model:
    """The model as it is exported: its arithmetic is float32, and a packet shows the one stamp that it holds."""
    config = replace(model.config, precision="float32")
    if config.packet.rows:
        config = replace(config, packet=replace(config.packet, stamps=1))
    return replace(model, config=config)


def inputs_of(config: Config, layout: str = LAYOUTS[0]) -> tuple[Array, ...]:
    """The inputs of which a model reads something, in this order: stamps, metadata, time_gap, fid, history, allwise.

    Args:
        config: of a model.
        layout: of the stamps; where their channels stand, "NHWC" last or "NCHW" first.
    """
    n, side, channels = config.n_detections, STAMP_SIDE, len(CHANNEL_NAMES)
    each = () if n == 1 else (n,)
    pixels = (side, side, channels) if layout == "NHWC" else (channels, side, side)
    detections = "" if n == 1 else f" of each of the first {n} alerts, at least six hours apart, in time order"
    names = ", ".join(CHANNEL_NAMES)
    every = {
        STAMPS: Array(STAMPS, (*each, *pixels), f"pixels of {names}{detections}; any unit, NaN = no pixel"),
        METADATA: Array(
            METADATA,
            (*each, len(schema.METADATA)),
            f"metadata{detections}, in the order of its columns; NaN = missing",
        ),
        TIME_GAP: Array(
            TIME_GAP,
            (n,),
            f"time since the alert before{detections} [day], 0 for the first; a difference of float64 Julian dates",
        ),
        FID: Array(FID, (), "filter of the alert: 1 = g, 2 = r, 3 = i, anything else = not given"),
        HISTORY: Array(
            HISTORY,
            (ROWS, len(HISTORY_COLUMNS)),
            f"the detections and upper limits of {schema.TOLD_DAYS:g} days before the alert, in the order of its"
            f" columns and in time order, the latest {MOST_ROWS - 1} at most; a row without days, in front or behind,"
            " is none, one without magpsf an upper limit; NaN = missing",
        ),
        ALLWISE: Array(
            ALLWISE,
            (len(schema.ALLWISE_BANDS),),
            f"{', '.join(schema.ALLWISE_BANDS)} of the AllWISE source within {schema.MATCH_RADIUS_ARCSEC:g} arcsec"
            " [mag], NaN = none",
        ),
    }
    return tuple(every[name] for name in every if name in _read(config))


def outputs_of(model: Model) -> tuple[Array, ...]:
    """What a model gives: probabilities; one of packets also those of subclasses, and the outlier score, if it can."""
    config = model.config
    every = [Array(PROBABILITIES, (len(config.classes),), "of the classes")]
    if config.subclasses:
        meaning = "probabilities of the subclasses; those of a class add up to its"
        every.append(Array(SUBCLASSES, (len(config.subclasses),), meaning))
    if config.packet.rows and model.known_alerts is not None:
        every.append(Array(OUTLIER, (), "the share of held-out alerts that are less unusual than this one"))
    return tuple(every)


def _read(config: Config) -> set[str]:
    values, is_packet = {*config.metadata.dynamic, *config.metadata.static}, bool(config.packet.rows)
    colours = {*schema.COLOUR_NAMES, schema.availability("allwise")}
    read = {
        STAMPS: bool(config.stamp.channels),
        METADATA: is_packet or bool(values - colours - {TIME_GAP}),
        TIME_GAP: TIME_GAP in values,
        FID: is_packet,
        HISTORY: is_packet,
        ALLWISE: bool(values & set(schema.COLOUR_NAMES)),
    }
    return {name for name, is_read in read.items() if is_read}


def columns_read(config: Config) -> tuple[str, ...]:
    """Which of the columns of `metadata` a model reads, in their order; whatever is in the others does not count."""
    sources = {schema.DERIVED_FROM.get(name, name) for name in (*config.metadata.dynamic, *config.metadata.static)}
    if config.packet.rows:
        sources |= {*CHANGE_OF}
    return tuple(name for name in schema.METADATA_NAMES if name in sources)


def history_read(config: Config) -> tuple[str, ...]:
    """Which of the columns of `history` a model of packets reads, in their order."""
    of_rows = {schema.DERIVED_FROM.get(name, name) for name in config.metadata.dynamic}
    of_rows |= {DAYS, FID, "diffmaglim", *CHANGE_OF}  # diffmaglim tells a limit from no row
    return tuple(name for name in HISTORY_COLUMNS if name in of_rows)
