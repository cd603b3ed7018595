"""Metadata of a sequence: assembled, clipped and standardised by statistics of the training split."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from jtss import schema, views
from jtss.config.settings import Config, MetadataConfig, StampConfig
from jtss.network.parts import Batch, Rows
from jtss.scaling import centre_crop, min_max
from jtss.schema import Sequences

FITTED = ("lower", "upper", "mean", "std")


def assemble(
    metadata: np.ndarray, jd: np.ndarray, allwise: np.ndarray, config: MetadataConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The raw values that the model reads.

    Args:
        metadata: [B, N, 26], NaN = missing.
        jd: [B, N] float64 [day].
        allwise: [B, 4] [mag], NaN = no match.
        config: names of D dynamic and F static values.

    Returns:
        dynamic [B, N, D] float32 of every detection; its time_gap is the days since the previous one, 0 for the first.
        static [B, F] float32; values of the last detection, and the colours W1-W2, W2-W3, W3-W4 [mag].
        log_… and abs_… are derived from the value of the same name (`derived`). has_… is 1 where one or more of the
        values of its group that the model reads are there, else 0.

    TSC §IV-C, Table 3.
    """
    gap_days = np.diff(jd, axis=1, prepend=jd[:, :1]).astype(np.float32)
    colours = (allwise[:, :-1] - allwise[:, 1:]).astype(np.float32)
    per_detection = {name: metadata[..., i] for i, name in enumerate(schema.METADATA_NAMES)}
    read = {*config.dynamic, *config.static}
    for name in read.intersection(schema.DERIVED_NAMES):
        per_detection[name] = derived(name, per_detection[schema.DERIVED_FROM[name]])
    per_object = {name: values[:, -1] for name, values in per_detection.items()}
    per_detection[schema.TIME_GAP.name] = gap_days
    per_object.update(zip(schema.COLOUR_NAMES, colours.T, strict=True))
    for values in (per_detection, per_object):
        values.update(_availability(values, read))
    return _columns(per_detection, config.dynamic, jd.shape), _columns(per_object, config.static, jd.shape[:1])


def derived(name: str, values: np.ndarray) -> np.ndarray:
    """One of `schema.DERIVED` from the values of its source, of any shape, NaN = missing.

    The logarithm of a count is of one more. A negative count, distance or chinr has none, but for -999 as the distance
    of a neighbour: so ZTF says that none is within the search radius, and the radius is what is known then.
    """
    source = schema.DERIVED_FROM[name]
    if name.startswith("abs_"):
        return np.abs(values)
    if source in schema.NEIGHBOUR_DISTANCES:
        values = np.where(values == schema.ZTF_MISSING, schema.SEARCH_RADIUS_ARCSEC, values)
    there = np.where(values >= 0, values, np.nan)
    argument = 1 + there if source in schema.COUNTS else np.maximum(there, 10.0**schema.LEAST_LOGARITHM)
    # In float64, then rounded: the logarithms that NumPy takes in float32 differ from machine to machine
    return np.log10(argument.astype(np.float64)).astype(values.dtype)


def _availability(values: dict[str, np.ndarray], read: set[str]) -> dict[str, np.ndarray]:
    """The bits that the model reads of groups that are among the values."""
    members = {
        schema.availability(group): [values[name] for name in names if name in read and name in values]
        for group, names in schema.METADATA_GROUPS.items()
    }
    return {
        bit: (~np.isnan(columns)).any(axis=0).astype(np.float32)
        for bit, columns in members.items()
        if bit in read and columns
    }


def _columns(values: dict[str, np.ndarray], names: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
    chosen = np.empty((*shape, len(names)), np.float32)
    for i, name in enumerate(names):
        chosen[..., i] = values[name]
    return chosen


@dataclass(frozen=True)
class GroupStatistics:
    """Limits, mean and standard deviation of each feature of a group, as the training split has them."""

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_dict(self) -> dict:
        """{feature: {lower, upper, mean, std}}, ready for JSON."""
        columns = zip(self.lower, self.upper, self.mean, self.std, strict=True)
        rows = (dict(zip(FITTED, row, strict=True)) for row in columns)
        return dict(zip(self.names, rows, strict=True))

    @classmethod
    def from_dict(cls, values: dict) -> "GroupStatistics":
        """The inverse of `to_dict`."""
        return cls(tuple(values), *(tuple(values[name][key] for name in values) for key in FITTED))


@dataclass(frozen=True)
class Statistics:
    """Statistics of both groups of features; what a trained model needs to read metadata."""

    dynamic: GroupStatistics
    static: GroupStatistics

    def to_dict(self) -> dict:
        return {"dynamic": self.dynamic.to_dict(), "static": self.static.to_dict()}

    @classmethod
    def from_dict(cls, values: dict) -> "Statistics":
        return cls(GroupStatistics.from_dict(values["dynamic"]), GroupStatistics.from_dict(values["static"]))

    def check(self, config: MetadataConfig) -> None:
        """Raise ValueError, naming both sides, where these are statistics of other features than `config` reads."""
        for name, group, expected in (
            ("dynamic", self.dynamic, config.dynamic),
            ("static", self.static, config.static),
        ):
            if group.names != expected:
                raise ValueError(f"statistics of the {name} metadata {group.names}, expected {expected}")


def fit(
    dynamic: np.ndarray, static: np.ndarray, config: MetadataConfig, weights: np.ndarray | None = None
) -> Statistics:
    """Statistics of the assembled training values, [B, N, D] and [B, F]. FIDELITY: clip, standardise.

    Args:
        dynamic, static: the values.
        config: their names.
        weights: [B] of the objects; None: they count alike.
    """
    return Statistics(fit_group(dynamic, config.dynamic, weights), fit_group(static, config.static, weights))


def fit_group(values: np.ndarray, names: tuple[str, ...], weights: np.ndarray | None = None) -> GroupStatistics:
    """Statistics of [B, ..., F] training values, of objects with weights [B].

    A feature that is missing everywhere gets limits, mean and deviation 0, 0, 0, 1, so that it stays 0 for the model; a
    constant one gets a deviation of 1. The bits of availability stay as they are.

    FIDELITY: clip, standardise. TSC Table 3.
    """
    rows = values.reshape(-1, len(names)).astype(np.float64) if names else np.empty((0, 0))
    of_row = None if weights is None else np.repeat(weights, len(rows) // max(len(weights), 1))
    columns = [
        _fit_column(column[there], schema.FEATURES[name], None if of_row is None else of_row[there])
        for column, there, name in zip(rows.T, ~np.isnan(rows.T), names, strict=True)
    ]
    return GroupStatistics(names, *(tuple(float(column[i]) for column in columns) for i in range(len(FITTED))))


def _fit_column(
    present: np.ndarray, feature: schema.Feature, weights: np.ndarray | None
) -> tuple[float, float, float, float]:
    if feature.name in schema.AVAILABILITY_NAMES:
        return feature.lower, feature.upper, 0.0, 1.0
    if present.size == 0:
        return 0.0, 0.0, 0.0, 1.0
    clipped = np.clip(present, feature.lower, feature.upper)
    lower = clipped.min() if feature.lower is None else feature.lower
    upper = clipped.max() if feature.upper is None else feature.upper
    constant = clipped.min() == clipped.max()
    mean = np.average(clipped, weights=weights)
    std = clipped.std() if weights is None else np.sqrt(np.average((clipped - mean) ** 2, weights=weights))
    return lower, upper, mean, 1.0 if constant else std


def standardise(values: np.ndarray, statistics: GroupStatistics) -> np.ndarray:
    """Clip and standardise [..., F]; missing values become 0, the training mean. Returns float32."""
    lower, upper, mean, std = (
        np.asarray(row, np.float64) for row in (statistics.lower, statistics.upper, statistics.mean, statistics.std)
    )
    scaled = (np.clip(values.astype(np.float64), lower, upper) - mean) / std
    return np.where(np.isnan(values), 0, scaled).astype(np.float32)


class Examples(NamedTuple):
    """The first n alerts of B objects, cropped and assembled but not yet standardised.

    Attributes:
        stamps: [B, N, S, S, C] float16; the source crop of the config's channels, rescaled to [0, 1], NaN as 0.
        dynamic: [B, N, D] float32, NaN = missing.
        static: [B, F] float32, NaN = missing.
        label: [B] int32; index into the config's classes, -1 where it is none of them.
        subclass: [B] int32; index into the config's subclasses, -1 where it is none of them or unknown.
        split: [B] int8; index into `schema.SPLIT_NAMES`, -1 = none.
        index: [B] int64; which object of the source each row is.
        counts: [B, 2] float32; ndethist and ncovhist of the last detection, NaN = missing, read by the config or not.
        rows: of packets what their rows are, see `jtss.network.packets`; None of sequences.
    """

    stamps: np.ndarray
    dynamic: np.ndarray
    static: np.ndarray
    label: np.ndarray
    subclass: np.ndarray
    split: np.ndarray
    index: np.ndarray
    counts: np.ndarray
    rows: Rows | None = None

    def take(self, rows: np.ndarray) -> "Examples":
        return jax.tree.map(lambda array: array[rows], self)


def examples(sequences: Sequences, config: Config) -> Examples:
    """The first n alerts of the objects that have as many, as `config` reads them."""
    n, sequences = config.n_detections, views.alerts(sequences)
    index = np.flatnonzero(sequences.n_rows >= n)
    rows = sequences.object_start[index, None] + np.arange(n)
    dynamic, static = assemble(sequences.metadata[rows], sequences.jd[rows], sequences.allwise[index], config.metadata)
    seen = centre_crop(sequences.stamps, config.stamp.source_side)  # a view: no pixel is copied in vain below
    seen = seen if config.stamp.channels else seen[..., :0]
    return Examples(
        stamps=source_crops(seen[rows], config.stamp).astype(np.float16),
        dynamic=dynamic,
        static=static,
        label=labels_of(sequences.label[index], config),
        subclass=subclasses_of(sequences.subclass[index], config),
        split=sequences.split[index],
        index=index,
        counts=counts_of(sequences.metadata[rows[:, -1]]),
    )


def labels_of(label: np.ndarray, config: Config) -> np.ndarray:
    """[B] int32, index into the classes of `config`, -1 where it is none of them, of `Sequences.label` [B]."""
    return _among(config.classes, schema.CLASS_NAMES)[label]


def subclasses_of(subclass: np.ndarray, config: Config) -> np.ndarray:
    """[B] int32, index into the subclasses of `config`, -1 where it is none of them, of `Sequences.subclass` [B]."""
    return _among(config.subclasses, schema.SUBCLASSES)[subclass]


def _among(chosen: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """Which of the chosen ones each name is, -1 for the others; one more row serves the code -1."""
    which = np.full(len(names) + 1, -1, np.int32)
    which[[names.index(name) for name in chosen]] = np.arange(len(chosen))
    return which


def counts_of(metadata: np.ndarray) -> np.ndarray:
    """[B, 2] ndethist and ncovhist of detections [B, 26]."""
    return metadata[:, [schema.METADATA_NAMES.index(name) for name in schema.COUNTS[:2]]]


def source_crops(stamps: np.ndarray, config: StampConfig) -> np.ndarray:
    """What the encoder turns, float32: [..., 63, 63, 3] stamps → [..., S, S, C] in [0, 1], NaN replaced by 0.

    The crop is scaled by its own extremes; scaling does not mind that the whole stamp was scaled before.

    FIDELITY, Stamps.
    """
    channels = [schema.CHANNEL_NAMES.index(name) for name in config.channels]
    crops = min_max(centre_crop(stamps, config.source_side)[..., channels])
    return np.nan_to_num(crops, nan=0.0)


def standardised(values: Examples, statistics: Statistics) -> Batch:
    """The examples as the model reads them, in host memory."""
    return Batch(
        values.stamps,
        standardise(values.dynamic, statistics.dynamic),
        standardise(values.static, statistics.static),
        values.rows,
    )
