"""How the metadata that a network reads come from raw columns: one plan, which each format of a file carries out."""

from dataclasses import dataclass

import numpy as np

from jtss import schema
from jtss.config.settings import Config
from jtss.network.inputs import GroupStatistics, Statistics

DYNAMIC_SOURCES = (*schema.METADATA_NAMES, schema.TIME_GAP.name)  # the raw columns of every detection
STATIC_SOURCES = (*schema.METADATA_NAMES, *schema.COLOUR_NAMES)  # those of the last detection and of the object
LEAST_VALUE = 10.0**schema.LEAST_LOGARITHM  # below, distances and chinr look the same
DEPTH = "diffmaglim"  # what is told of a limit
SAME_EXPOSURE_DAYS = 1e-5  # what float32 resolves of 30 days; two exposures are never so close


@dataclass(frozen=True)
class Columns:
    """A plan for one group of F values, from P plain values and Q bits of availability.

    A plain value is a raw column as it is, its logarithm, or its absolute value; a bit is 1 where one or more of its
    members are there. `jtss.network.inputs` defines all of them.

    Attributes:
        source: [P] int64; which of the raw columns.
        takes_999: [P] bool; ZTF's -999 is a value, see `schema.MISSING_FLOOR`; else it is a missing one.
        is_logarithm, is_count, is_neighbour, is_absolute: [P] bool; the decimal logarithm is taken, of one more; -999
            stands for the search radius; the sign is dropped.
        members: [P, Q] float32, 1 or 0.
        order: [F] int64; which of the P + Q each value is.
        lower, upper, mean, std: [F] float64; see `jtss.network.inputs.standardise`.
    """

    source: np.ndarray
    takes_999: np.ndarray
    is_logarithm: np.ndarray
    is_count: np.ndarray
    is_neighbour: np.ndarray
    is_absolute: np.ndarray
    members: np.ndarray
    order: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    mean: np.ndarray
    std: np.ndarray


def of_model(config: Config, statistics: Statistics) -> tuple[Columns, Columns]:
    """The plans of the dynamic and of the static values; without any, F is 0."""
    read = {*config.metadata.dynamic, *config.metadata.static}
    return (
        _plan(statistics.dynamic, read, DYNAMIC_SOURCES),
        _plan(statistics.static, read, STATIC_SOURCES),
    )


def _plan(group: GroupStatistics, read: set[str], sources: tuple[str, ...]) -> Columns:
    """Args: the values of the group, all names that the model reads, and the raw columns that there are."""
    group_of = {schema.availability(name): names for name, names in schema.METADATA_GROUPS.items()}
    bits = [name for name in group.names if name in group_of]
    members = {bit: [name for name in group_of[bit] if name in read and _source(name) in sources] for bit in bits}
    wanted = [name for name in group.names if name not in group_of] + [name for bit in bits for name in members[bit]]
    plain = list(dict.fromkeys(wanted))
    counts = {f"log_{name}" for name in schema.COUNTS}
    neighbours = {f"log_{name}" for name in schema.NEIGHBOUR_DISTANCES}
    logarithms = {feature.name for feature in schema.LOGARITHMS}
    absolute = set(schema.DERIVED_NAMES) - logarithms
    places, is_member = [*plain, *bits], [[name in members[bit] for bit in bits] for name in plain]
    return Columns(
        source=np.array([sources.index(_source(name)) for name in plain], np.int64),
        takes_999=np.array([takes_999(_source(name)) for name in plain], bool),
        is_logarithm=_among(plain, logarithms),
        is_count=_among(plain, counts),
        is_neighbour=_among(plain, neighbours),
        is_absolute=_among(plain, absolute),
        members=np.array(is_member, np.float32).reshape(len(plain), len(bits)),
        order=np.array([places.index(name) for name in group.names], np.int64),
        **{name: np.array(getattr(group, name), np.float64) for name in ("lower", "upper", "mean", "std")},
    )


def takes_999(column: str) -> bool:
    """Whether -999 of a raw column is a value: it is kept, then clipped."""
    return schema.FEATURES[column].lower == schema.MISSING_FLOOR


def _source(name: str) -> str:
    return schema.DERIVED_FROM.get(name, name)


def _among(names: list[str], chosen: set[str]) -> np.ndarray:
    return np.array([name in chosen for name in names], bool)
