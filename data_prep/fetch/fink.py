"""Fink: the rows of an object in a flat table, and the stamps of each alert as arrays; packets are put together here.

Numbers are those of ZTF's packets, under names as i:magpsf. What a packet tells of the past is taken from the other
rows of the object: upper limits and detections of bad quality, as Fink calls them, have rows of their own.
"""

import io
import json
import re
from collections.abc import Mapping

import fastavro
import numpy as np

from data_prep.client import Client, Reply, Request
from data_prep.fetch.objects import (
    Listing,
    Packet,
    check_packet,
    finite,
    provenance,
    require_columns,
    require_kind,
    rows_of,
)
from data_prep.lost import ABSENT, DAMAGED, Lost
from data_prep.packets.metadata import CANDIDATE_FIELDS, exact
from data_prep.simulate.packets import (
    CANDIDATE_TYPES,
    CHANNELS,
    NOT_IN_PREVIOUS,
    SCHEMA_VERSION,
    alert_schema,
    encode_cutout,
)
from jtss.schema import SAME_TIME_DAYS, STAMP_SIDE, TOLD_DAYS

COLUMNS = ("i:objectId", "i:candid", "i:jd", "i:fid", "i:magpsf", "i:isdiffpos", "i:ra", "i:dec")
TAG, VALID, NO_ALERT = "d:tag", "valid", ("upperlim", "badquality")
VERSIONS = ("d:fink_broker_version", "d:fink_science_version")
PUBLISHER = "Fink, put together by jtss"
SYNC_MARKER = b"put together now"  # any 16 bytes
INT32_MAX = 2**31 - 1
WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)  # of 64 bits
MOST_BYTES = 4 << 20  # of three stamps as text; 63 x 63 pixels have 250 kB


class Fink:
    """Fink's service for ZTF."""

    name = "fink"

    def __init__(self, api: str) -> None:
        """Takes the address of the service."""
        self._api = f"{api.rstrip('/')}/api/v1"

    def ask_object(self, client: Client, object_id: str) -> Reply:
        def read(reply: Reply) -> Reply:
            require_kind(reply, is_json=True)
            self.listing(object_id, reply.body)
            return reply

        question = {"objectId": object_id, "withupperlim": True, "output-format": "json"}
        return client.ask(Request(f"{self._api}/objects", json=question), read)

    def listing(self, object_id: str, answer: bytes) -> Listing:
        rows = rows_of(answer, f"{object_id}: objects")
        alerts = [row for row in rows if row.get(TAG, VALID) == VALID]
        if strange := {str(row[TAG]) for row in rows if row.get(TAG) not in (None, VALID, *NO_ALERT)}:
            detail = f"{object_id}: {TAG} is {min(strange)[:40]!r}, expected {VALID}, {' or '.join(NO_ALERT)}"
            raise Lost(DAMAGED, "changed_columns", detail, again=True)
        if not alerts:
            raise Lost(ABSENT, "unknown_object", f"{object_id}: no alert")
        require_columns(alerts, COLUMNS, f"{object_id}: objects")
        pairs = [(exact(row.get("i:candid")), finite(row.get("i:jd")), row) for row in alerts]
        good = [pair for pair in pairs if pair[0] and pair[1] is not None]
        notes = ["detections without a candid or a time"] * (len(pairs) - len(good))
        notes += [f"objects without i:{name}" for name in CANDIDATE_FIELDS if not any(f"i:{name}" in r for r in alerts)]
        candid, jd = (np.array([pair[i] for pair in good], kind) for i, kind in ((0, np.int64), (1, float)))
        return Listing(candid, jd, [(row, _candidate(row)) for row in rows], notes)

    def ask_packet(self, client: Client, object_id: str, candid: int, listing: Listing) -> Packet:
        row, candidate = next(pair for pair in listing.rows if pair[1]["candid"] == candid)
        others = [other for _, other in listing.rows if other is not candidate]

        def read(reply: Reply) -> Packet:
            record = _packet(object_id, candidate, others, _stamps(reply))
            try:
                content = encoded(record)
            except ValueError as error:  # text that is none
                raise Lost(DAMAGED, "bad_row", f"{object_id} {candid}: {error}") from None
            check_packet(content, object_id, candid, reply.url)
            versions = {name[2:]: row[name] for name in VERSIONS if row.get(name)}
            return Packet(content, provenance(reply) | versions)

        question = {"objectId": object_id, "candid": str(candid), "kind": "All", "output-format": "array"}
        return client.ask(Request(f"{self._api}/cutouts", json=question), read, MOST_BYTES)


def _stamps(reply: Reply) -> list[np.ndarray]:
    """The three stamps of an alert, [H, W] float32.

    Raises:
        Lost: one is missing, as an empty answer that claims to be a picture says, or is no image.
    """
    if not reply.body or reply.body.isspace():
        raise Lost(ABSENT, "missing_cutout", f"{reply.url}: an empty answer of type {reply.kind}")
    require_kind(reply, is_json=True)
    try:
        images = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise Lost(DAMAGED, "bad_json", f"{reply.url}: {str(error)[:100]}", again=True) from None
    if not isinstance(images, dict):
        raise Lost(DAMAGED, "changed_columns", f"{reply.url}: expected a record of three images", again=True)
    require_columns([images], [f"b:cutout{channel}_stampData" for channel in CHANNELS], reply.url)
    return [_stamp(images[f"b:cutout{channel}_stampData"], channel, reply.url) for channel in CHANNELS]


def _stamp(image: object, channel: str, url: str) -> np.ndarray:
    if image is None or image == []:
        raise Lost(ABSENT, "missing_cutout", f"{url}: no {channel.lower()} image")
    try:
        with np.errstate(over="ignore"):
            pixels = np.array(image, np.float32)  # null becomes NaN
    except (TypeError, ValueError, OverflowError):
        pixels = np.zeros(0)
    if pixels.ndim != 2 or not all(0 < side <= STAMP_SIDE for side in pixels.shape):
        detail = (
            f"{url}: the {channel.lower()} image has shape {pixels.shape}, expected up to {STAMP_SIDE} pixels a side"
        )
        raise Lost(DAMAGED, "bad_cutout", detail, again=True)
    return pixels


def _packet(object_id: str, candidate: dict, others: list[dict], stamps: list[np.ndarray]) -> dict:
    """An alert in ZTF's form, as far as its row says, and the other rows of the object."""
    candid = candidate["candid"]
    told = [_previous(other) for other in others if _is_told(other["jd"], candidate["jd"])]
    cutouts = zip(CHANNELS, map(encode_cutout, stamps), strict=True)
    return {
        "schemavsn": SCHEMA_VERSION,
        "publisher": PUBLISHER,
        "objectId": object_id,
        "candid": candid,
        "candidate": candidate,
        "prv_candidates": sorted(told, key=lambda other: other["jd"]) or None,
        **{f"cutout{name}": {"fileName": f"candid{candid}_{name}", "stampData": fits} for name, fits in cutouts},
    }


def _is_told(jd: float | None, jd_of_alert: float) -> bool:
    return jd is not None and jd_of_alert - TOLD_DAYS < jd <= jd_of_alert - SAME_TIME_DAYS


def _candidate(row: Mapping) -> dict:
    """ZTF's candidate record of a row; None is null. In rows of upper limits all numbers are text."""
    values = {name: _typed(row.get(f"i:{name}"), kind) for name, (kind, _) in CANDIDATE_TYPES.items()}
    return values | {"candid": exact(row.get("i:candid")) or None}  # that of a row that is no alert is -1 at Fink


def _previous(candidate: dict) -> dict:
    """A row of a history."""
    return {name: value for name, value in candidate.items() if name not in NOT_IN_PREVIOUS.split()}


def _typed(value: object, kind: str) -> object:
    if kind == "string":
        return None if value in (None, "", "null", "None", "nan") else str(value)
    if kind == "long":  # not by way of a float, which loses digits of a candid
        return int(value) if WHOLE.fullmatch(str(value)) else None
    number = finite(value)
    if number is None or kind != "int":
        return number
    return int(number) if abs(number) <= INT32_MAX else None


def _schema() -> dict:
    """ZTF's schema in which every value of a row may be null: Fink may not have it, and 0 is a number."""
    schema = alert_schema()
    types = {field["name"]: field["type"] for field in schema["fields"]}
    for record in (types["candidate"], types["prv_candidates"][0]["items"]):
        for field in record["fields"]:
            if not isinstance(field["type"], list):
                field["type"] = ["null", field["type"]]
    return fastavro.parse_schema(schema)


SCHEMA = _schema()


def encoded(record: Mapping) -> bytes:
    """A record as an Avro file; the same record gives the same bytes."""
    file = io.BytesIO()
    fastavro.writer(file, SCHEMA, [record], sync_marker=SYNC_MARKER)
    return file.getvalue()
