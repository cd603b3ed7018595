"""What services have in common: the alerts that they list of an object, which of them are wanted, and packets."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from data_prep.client import Client, Reply
from data_prep.fetch.folder import as_text
from data_prep.ledger import Rejection
from data_prep.lost import DAMAGED, Lost
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.containers import read_stream
from data_prep.packets.decode import decode
from data_prep.packets.metadata import FLOAT32_MAX
from data_prep.sequences import KEPT, select, select_every

MJD_0 = 2400000.5  # [day], the Julian date of MJD 0
MAX_SHOWN = 12  # names of columns in a message


class Packet(NamedTuple):
    """A packet as a service gives it, and where it came from."""

    content: bytes
    provenance: dict[str, object]


class Listing(NamedTuple):
    """The alerts of an object with stamps, as far as a service knows.

    Attributes:
        candid: [k] int64. jd: [k] float64, the time of their exposures [day].
        rows: what a service needs of its answer to make packets; None where it does not.
        notes: what is missing in it, for the account.
    """

    candid: np.ndarray
    jd: np.ndarray
    rows: Any = None
    notes: Sequence[str] = ()


class Service(Protocol):
    """Where packets of objects come from.

    Attributes:
        name: as in the journal.
    """

    name: str

    def ask_object(self, client: Client, object_id: str) -> Reply:
        """What it says of an object, checked as far as `listing` reads it; raises Lost."""

    def listing(self, object_id: str, answer: bytes) -> Listing:
        """What an answer says; raises Lost."""

    def ask_packet(self, client: Client, object_id: str, candid: int, listing: Listing) -> Packet:
        """The packet of an alert, checked; raises Lost."""


def wanted(listing: Listing, first: int | None, without: set[int]) -> list[int]:
    """Which alerts to fetch, in the order of time: all, or those that `data build` makes a sequence of.

    Args:
        first: the first so many that are six hours apart; None: all.
        without: candids that there are not.
    """
    there = np.array([candid not in without for candid in listing.candid.tolist()], bool)
    candid, jd = listing.candid[there], listing.jd[there]
    one = np.zeros(len(candid), int)  # object
    if first is None:
        order, verdict = select_every(one, jd, candid, candid)
    else:
        order, verdict = select(one, jd, candid, candid, max_detections=first)
    return candid[order[verdict[order] == KEPT]].tolist()


def rows_of(reply_body: bytes, what: str) -> list[dict]:
    """The rows of a table in JSON: a list of records.

    Raises:
        Lost: it is none.
    """
    try:
        rows = json.loads(reply_body)
    except (ValueError, RecursionError) as error:
        raise Lost(DAMAGED, "bad_json", f"{what}: {str(error)[:100]}", again=True) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        shown = reply_body[:60].decode(errors="replace")
        raise Lost(DAMAGED, "changed_columns", f"{what}: {shown!r}, expected a list of records", again=True)
    return rows


def require_columns(rows: Sequence[Mapping], names: Sequence[str], what: str) -> None:
    """Raise Lost where the rows of a table lack a column, all of them: the service has changed."""
    missing = [name for name in names if not any(name in row for row in rows)]
    if missing:
        there = list(dict.fromkeys(name for row in rows for name in row))
        shown = ", ".join(there[:MAX_SHOWN]) + (", …" if len(there) > MAX_SHOWN else "")
        detail = f"{what}: no column {', '.join(missing)} (there are {shown})"
        raise Lost(DAMAGED, "changed_columns", detail, again=True)


def require_kind(reply: Reply, *, is_json: bool) -> None:
    """Raise Lost where an answer is a page, a picture or a message instead of what was asked for."""
    is_text = reply.kind.startswith(("text/", "image/")) or "json" in reply.kind
    if ("json" not in reply.kind) if is_json else is_text:
        detail = f"{reply.url}: of type {reply.kind or 'unknown'}, expected {'JSON' if is_json else 'Avro'}"
        raise Lost(DAMAGED, "wrong_type", detail, again=True)


def check_packet(content: bytes, object_id: str, candid: int, source: str) -> None:
    """Make sure that bytes are the packet of one alert, this one; how good it is, `data build` says.

    Raises:
        Lost: they are not.
    """
    alerts = list(alerts_of(content, source))
    lost = next((alert for alert in alerts if isinstance(alert, Rejection)), None)
    if lost is not None:
        raise Lost(DAMAGED, lost.reason, f"{source}: {lost.detail}", again=True)
    found = [(alert.object_id, alert.candid) for alert in alerts]
    if found != [(object_id, candid)]:
        shown = ", ".join(f"{name} {number}" for name, number in found[:3]) or "nothing"
        raise Lost(DAMAGED, "another_alert", f"{source}: {shown}, expected {object_id} {candid}", again=True)


def is_kept(content: bytes) -> bool:
    """Whether `data build` can use a packet: its three stamps are whole."""
    items = list(read_stream(io.BytesIO(content), "packet"))
    return not any(decoded.rejections for decoded in decode(items, pad_edges=False, histories=False))


def alerts_of(content: bytes, source: str) -> Iterator[Alert | Rejection]:
    """Alerts of an Avro file, and Rejections that cost one."""
    for block in read_stream(io.BytesIO(content), source):
        for alert in [block] if isinstance(block, Rejection) else decode_block(block, histories=False):
            if isinstance(alert, Alert) or alert.n_alerts:
                yield alert


def provenance(reply: Reply) -> dict[str, object]:
    """Where an answer came from, for the journal."""
    told = {"told": reply.told} if reply.told else {}
    return {"url": reply.url, "time": as_text(reply.time), **told}


def finite(value: object) -> float | None:
    """A number, or text of one, as a float; None where it is neither, or none that a packet can hold."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= FLOAT32_MAX else None
