"""Metadata of a sequence: assembled, clipped and standardised by statistics of the training split."""

from dataclasses import dataclass

import numpy as np

from jtss import schema

DYNAMIC = (schema.TIME_GAP, *schema.DYNAMIC_METADATA)
STATIC = (*schema.STATIC_METADATA, *schema.ALLWISE_COLOURS)


def assemble(metadata: np.ndarray, jd: np.ndarray, allwise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The raw values that the model reads.

    Args:
        metadata: [B, N, 23], NaN = missing.
        jd: [B, N] float64 [day].
        allwise: [B, 4] [mag], NaN = no match.

    Returns:
        dynamic [B, N, 10] float32: days since the previous detection, 0 for the first, then the dynamic metadata;
        static [B, 17] float32: static metadata of the last detection, then W1-W2, W2-W3, W3-W4 [mag].

    TSC §IV-C, Table 3.
    """
    gap_days = np.diff(jd, axis=1, prepend=jd[:, :1])[..., None]
    n_dynamic = len(schema.DYNAMIC_METADATA)
    dynamic = np.concatenate([gap_days, metadata[..., :n_dynamic]], axis=-1)
    colours = allwise[:, :-1] - allwise[:, 1:]
    static = np.concatenate([metadata[:, -1, n_dynamic:], colours], axis=-1)
    return dynamic.astype(np.float32), static.astype(np.float32)


@dataclass(frozen=True)
class GroupStatistics:
    """Limits, mean and standard deviation of each feature of a group, as the training split has them."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_dict(self, group: tuple[schema.Feature, ...]) -> dict:
        """{feature: {lower, upper, mean, std}}, ready for JSON."""
        columns = zip(self.lower, self.upper, self.mean, self.std, strict=True)
        return {
            feature.name: dict(zip(("lower", "upper", "mean", "std"), row, strict=True))
            for feature, row in zip(group, columns, strict=True)
        }

    @classmethod
    def from_dict(cls, values: dict, group: tuple[schema.Feature, ...]) -> "GroupStatistics":
        """The inverse of `to_dict`.

        Raises:
            ValueError: features other than those of `group`.
        """
        names = [feature.name for feature in group]
        if list(values) != names:
            raise ValueError(f"feature statistics: found {list(values)}, expected {names}")
        return cls(*(tuple(values[name][key] for name in names) for key in ("lower", "upper", "mean", "std")))


@dataclass(frozen=True)
class Statistics:
    """Statistics of both groups of features; what a trained model needs to read metadata."""

    dynamic: GroupStatistics
    static: GroupStatistics

    def to_dict(self) -> dict:
        return {"dynamic": self.dynamic.to_dict(DYNAMIC), "static": self.static.to_dict(STATIC)}

    @classmethod
    def from_dict(cls, values: dict) -> "Statistics":
        return cls(
            GroupStatistics.from_dict(values["dynamic"], DYNAMIC),
            GroupStatistics.from_dict(values["static"], STATIC),
        )


def fit(dynamic: np.ndarray, static: np.ndarray) -> Statistics:
    """Statistics of the assembled training values, [B, N, 10] and [B, 17]. FIDELITY: clip, standardise."""
    return Statistics(fit_group(dynamic, DYNAMIC), fit_group(static, STATIC))


def fit_group(values: np.ndarray, group: tuple[schema.Feature, ...]) -> GroupStatistics:
    """Statistics of [..., F] training values.

    A feature that is missing everywhere gets limits, mean and deviation 0, 0, 0, 1, so that it stays 0 for the model; a
    constant one gets a deviation of 1.

    FIDELITY: clip, standardise. TSC Table 3.
    """
    rows = values.reshape(-1, len(group)).astype(np.float64)
    columns = [_fit_column(column[~np.isnan(column)], feature) for column, feature in zip(rows.T, group, strict=True)]
    return GroupStatistics(*(tuple(float(value) for value in row) for row in zip(*columns, strict=True)))


def _fit_column(present: np.ndarray, feature: schema.Feature) -> tuple[float, float, float, float]:
    if present.size == 0:
        return 0.0, 0.0, 0.0, 1.0
    clipped = np.clip(present, feature.lower, feature.upper)
    lower = clipped.min() if feature.lower is None else feature.lower
    upper = clipped.max() if feature.upper is None else feature.upper
    constant = clipped.min() == clipped.max()
    return lower, upper, clipped.mean(), 1.0 if constant else clipped.std()


def standardise(values: np.ndarray, statistics: GroupStatistics) -> np.ndarray:
    """Clip and standardise [..., F]; missing values become 0, the training mean. Returns float32."""
    lower, upper, mean, std = (
        np.asarray(row, np.float64) for row in (statistics.lower, statistics.upper, statistics.mean, statistics.std)
    )
    scaled = (np.clip(values.astype(np.float64), lower, upper) - mean) / std
    return np.where(np.isnan(values), 0, scaled).astype(np.float32)
