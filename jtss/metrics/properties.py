"""What is known of an object beside its class: where, how bright, how well seen. A report cuts accuracy by it."""

from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.scaling import centre_crop
from jtss.schema import Sequences

CENTRE_SIDE = 21  # pixels: the source and most of its host
NO_PIXEL_MISSING, OUTSIDE, INSIDE = 0, 1, 2


class Properties(NamedTuple):
    """Of B objects; what changes from detection to detection is that of the last one that the model reads.

    Attributes:
        magnitude_mag: [B]; magpsf.
        fid: [B] int64; 1 g, 2 r, 3 i, 0 unknown.
        gal_b_deg: [B]; |galactic latitude|.
        host_arcsec: [B]; distance of the nearest Pan-STARRS1 source, NaN where there is none.
        seen_before: [B]; ndethist, how often ZTF has detected the object so far.
        days: [B]; since the first detection that the model reads.
        has_allwise: [B] bool; at least one colour is known.
        missing: [B] int64; whether a stamp that the model may read lacks pixels: nowhere, only outside its central
            21 × 21, or inside.
    """

    magnitude_mag: np.ndarray
    fid: np.ndarray
    gal_b_deg: np.ndarray
    host_arcsec: np.ndarray
    seen_before: np.ndarray
    days: np.ndarray
    has_allwise: np.ndarray
    missing: np.ndarray


def properties(sequences: Sequences, n_detections: int) -> Properties:
    """Properties of N objects that have `n_detections` alerts or more; of each, the first n count.

    Args:
        sequences: N objects.
        n_detections: detections that the model reads.
    """
    sequences = views.alerts(sequences)
    first = sequences.object_start[:-1]
    last = first + n_detections - 1
    column = {name: sequences.metadata[last, i] for i, name in enumerate(schema.METADATA_NAMES)}
    host = column["distpsnr1"].astype(np.float64)
    bands = np.isfinite(sequences.allwise)
    return Properties(
        magnitude_mag=column["magpsf"].astype(np.float64),
        fid=sequences.fid[last].astype(np.int64),
        gal_b_deg=np.abs(column["gal_b"].astype(np.float64)),
        host_arcsec=np.where(host >= 0, host, np.nan),  # ZTF has -999 where there is no source
        seen_before=column["ndethist"].astype(np.float64),
        days=sequences.jd[last] - sequences.jd[first],
        has_allwise=(bands[:, 1:] & bands[:, :-1]).any(axis=1),
        missing=_missing(sequences.stamps, first[:, None] + np.arange(n_detections)),
    )


def _missing(stamps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[B] int64 of stamps [M, S, S, C] and the rows [B, N] that belong to each object."""
    lacking = np.isnan(stamps)
    anywhere = lacking.any(axis=(1, 2, 3))[rows].any(axis=1)
    inside = centre_crop(lacking, CENTRE_SIDE).any(axis=(1, 2, 3))[rows].any(axis=1)
    return np.where(inside, INSIDE, np.where(anywhere, OUTSIDE, NO_PIXEL_MISSING))


def join(parts: list[Properties]) -> Properties:
    """The properties of several batches as one; of none, empty arrays."""
    if not parts:
        return Properties(*(np.empty(0) for _ in Properties._fields))
    return Properties(*map(np.concatenate, zip(*parts, strict=True)))
