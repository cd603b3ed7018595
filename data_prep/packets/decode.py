"""Alert packets to rows of numbers, from small files or from blocks: the work of one worker process."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from typing import NamedTuple

import numpy as np

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import MAX_RECORDS_PER_BLOCK, Block
from data_prep.packets.containers import read_ahead
from data_prep.packets.history import judge
from data_prep.packets.metadata import catalogue, columns_of, number, within
from data_prep.packets.stamps import StampError, decode_stamps, is_full, pad_to_side, scale
from data_prep.packets.walking import File
from jtss.schema import CHANNEL_NAMES, FILL_LIMIT, METADATA, STAMP_SIDE

# What is stored of a detection, and what is kept in memory beside it to choose the sequences.
ROW = np.dtype(
    [
        ("stamps", "<f2", (STAMP_SIDE, STAMP_SIDE, len(CHANNEL_NAMES))),
        ("metadata", "<f4", (len(METADATA),)),
    ]
)
KEY = np.dtype(
    [
        ("jd", "<f8"),
        ("candid", "<i8"),
        ("digest", "<u8"),
        ("position", "<f8", (2,)),  # ra, dec [deg], NaN off the sky: float32 is too coarse to match catalogues
        ("fid", "i1"),
        ("remarks", "u1"),
        ("n_told", "u2"),  # rows of history that its packet tells
    ]
)

# Kept, but worth a note; bit i of `remarks` stands for REMARKS[i].
OTHERS_APART = "others_apart"  # more alerts under its id lie elsewhere, which shows when all are read
REMARKS = (
    *("padded_edge", "nan_pixels", "fill_values", "constant_stamp", "missing_metadata", "unknown_filter"),
    OTHERS_APART,
)


ALERTS_PER_SLICE = 64  # decoded together: 3 MB of images


class Decoded(NamedTuple):
    """A slice of detections, in order, and what was lost: rows [k] ROW, keys [k] KEY, k names and sources.

    Beside them the histories of their packets, one after the other: told [t] TOLD, and notes [j] NOTE on them.
    """

    rows: np.ndarray
    keys: np.ndarray
    told: np.ndarray
    notes: np.ndarray
    object_ids: list[str]
    sources: list[str]
    rejections: list[Rejection]
    n_read: int


class Detection(NamedTuple):
    """An alert with its stamps [63, 63, 3] float32, unscaled, and the remarks on them, of REMARKS."""

    alert: Alert
    images: np.ndarray
    remarks: set[str]


def decode(
    items: list[File | Block | Alert | Rejection], pad_edges: bool, histories: bool = True
) -> list[Decoded | File]:
    """Decode files, blocks and alerts; a Rejection among them is passed on.

    The images of one slice of alerts are in memory at a time, however many a block holds.

    Args:
        items: small files, what `containers.read_blocks` yields, or alerts that were decoded already.
        pad_edges: pad stamps cut by the edge of the image with NaN; otherwise such an alert is rejected.
        histories: read what packets tell of the past, or pass over it; alerts come as they were decoded.

    Returns:
        Slices in the order of the items; in its place, a file that has to be read elsewhere, see
        `containers.read_at_once`.

    FIDELITY, Stamps: the same function serves training sets and classification.
    """
    results: list[Decoded | File] = []
    for is_file, run in groupby(_opened(items), lambda item: isinstance(item, File)):
        if is_file:
            results.extend(run)
        else:
            results.extend(_slices(run, pad_edges, histories))
    return results


def _opened(items: Iterable[File | Block | Alert | Rejection]) -> Iterator[File | Block | Alert | Rejection]:
    """What is in the files; those that cannot be read here, or are too many to be decoded at once, as they came."""
    n_records = 0
    for item, inside in read_ahead(items):
        if inside is None or n_records >= MAX_RECORDS_PER_BLOCK:
            yield item
        else:
            n_records += sum(each.n_records for each in inside if isinstance(each, Block))
            yield from inside


def _slices(items: Iterable[Block | Alert | Rejection], pad_edges: bool, histories: bool) -> Iterator[Decoded]:
    alerts = chain.from_iterable(_outcomes(item, histories) for item in items)
    while outcomes := list(islice(alerts, ALERTS_PER_SLICE)):
        yield as_rows([_with_stamps(outcome, pad_edges) for outcome in outcomes])


def as_rows(outcomes: list[Detection | Rejection]) -> Decoded:
    """Detections, wherever their stamps are from, to rows of numbers; rejections among them are passed on."""
    rejections = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
    detections = [outcome for outcome in outcomes if not isinstance(outcome, Rejection)]
    columns = columns_of([detection.alert.candidate for detection in detections])
    rows, keys = np.zeros(len(detections), ROW), np.zeros(len(detections), KEY)
    rows["metadata"] = catalogue(columns)
    keys["position"] = np.stack([within(columns["ra"], 0, 360), within(columns["dec"], -90, 90)], axis=-1)
    jd = np.array([detection.alert.jd for detection in detections], float)
    told, keys["n_told"], notes = judge([detection.alert.history for detection in detections], jd, keys["position"])
    for row, key, (alert, images, remarks) in zip(rows, keys, detections, strict=True):
        scaled = scale(images)
        row["stamps"] = scaled
        key["jd"], key["candid"], key["fid"] = alert.jd, alert.candid, alert.fid
        key["digest"] = _digest(alert, row, key["position"])
        key["remarks"] = _bits(remarks | _row_remarks(alert, scaled, row["metadata"]))
    return Decoded(
        rows,
        keys,
        told,
        notes,
        object_ids=[detection.alert.object_id for detection in detections],
        sources=[detection.alert.source for detection in detections],
        rejections=rejections,
        n_read=len(detections) + sum(rejection.n_alerts for rejection in rejections),
    )


def _outcomes(item: Block | Alert | Rejection, histories: bool) -> Iterable[Alert | Rejection]:
    return decode_block(item, histories) if isinstance(item, Block) else [item]


def _with_stamps(outcome: Alert | Rejection, pad_edges: bool) -> Detection | Rejection:
    if isinstance(outcome, Rejection):
        return outcome
    try:
        stamps = decode_stamps(outcome.cutouts)
        remarks = _pixel_remarks(stamps)
        if not is_full(stamps[0]):
            if not pad_edges:
                height, width = stamps[0].shape
                raise StampError("stamp_shape", f"{height} x {width} pixels, expected {STAMP_SIDE} x {STAMP_SIDE}")
            xpos, ypos = number(outcome.candidate.get("xpos")), number(outcome.candidate.get("ypos"))
            stamps = [pad_to_side(stamp, xpos, ypos) for stamp in stamps]
            remarks.add("padded_edge")
    except StampError as error:
        return Rejection(error.reason, error.detail, outcome.source, outcome.object_id, outcome.candid)
    return Detection(outcome, np.stack(stamps, axis=-1), remarks)


def _pixel_remarks(stamps: list[np.ndarray]) -> set[str]:
    """Remarks on the pixels as they come, before edges are padded."""
    remarks = {
        "nan_pixels": any(np.isnan(stamp).any() for stamp in stamps),
        "fill_values": any((np.abs(stamp) > FILL_LIMIT).any() for stamp in stamps),
    }
    return {name for name, holds in remarks.items() if holds}


def _row_remarks(alert: Alert, scaled: np.ndarray, metadata: np.ndarray) -> set[str]:
    by_column = np.fmax.reduce(scaled.reshape(STAMP_SIDE, -1))  # along the slow axis: 8 times as fast
    brightest = np.fmax.reduce(by_column.reshape(STAMP_SIDE, -1))
    remarks = {
        "constant_stamp": (brightest == 0).any(),
        "missing_metadata": np.isnan(metadata).any(),
        "unknown_filter": alert.fid == 0,
    }
    return {name for name, holds in remarks.items() if holds}


def _bits(remarks: set[str]) -> int:
    return sum(1 << bit for bit, name in enumerate(REMARKS) if name in remarks)


def _digest(alert: Alert, row: np.void, position: np.ndarray) -> int:
    """A hash of all that is kept of a detection: decides between two that claim the same candid."""
    content = hashlib.blake2b(f"{alert.object_id}\n{alert.candid}\n{alert.jd!r}\n{alert.fid}\n".encode(), digest_size=8)
    content.update(row.tobytes() + position.tobytes())
    return int.from_bytes(content.digest(), "little")
