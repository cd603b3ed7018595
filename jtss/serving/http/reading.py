"""The body of a request to the alerts in it, within bounds: of time, of their number and of their size."""

import io
import time
from collections.abc import Iterator

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.containers import BZIP2, read_stream
from jtss.serving.http.limits import Limits
from jtss.serving.http.problems import Problem

SOURCE = "body"
TOO_LONG = "too_long"  # of a Problem: unpacking does


def alerts_of(body: bytes, limits: Limits) -> tuple[list[Alert], list[Rejection]]:
    """The packets in a body, and what cannot be used of it.

    Args:
        body: an Avro file or several joined, gzipped or not, or a tar archive of such files, compressed or not.

    Raises:
        Problem: 413, more of it than the limits allow; 422, no packet in it, not even one that cannot be used.
    """
    if not body:
        raise Problem(422, "empty_file", "the body has 0 bytes, expected an Avro file of alert packets")
    alerts, rejected, besides = [], [], []
    n_packets = n_bytes = 0
    for outcome in _outcomes(body, limits.unpack_seconds):
        if isinstance(outcome, Alert):
            alerts.append(outcome)
            n_bytes += sum(len(cutout or b"") for cutout in outcome.cutouts)
        elif outcome.n_alerts:
            rejected.append(outcome)
        elif len(besides) < limits.packets:
            besides.append(outcome)
        n_packets += 1 if isinstance(outcome, Alert) else outcome.n_alerts
        if n_packets > limits.packets:
            detail = f"more than {limits.packets} packets in the body; send fewer at a time"
            raise Problem(413, "too_many_packets", detail)
        if n_bytes > limits.unpacked_bytes:
            detail = f"more than {limits.unpacked_bytes} bytes of images as packets hold them; send fewer at a time"
            raise Problem(413, "too_large", detail)
    if not alerts and not rejected:
        why = besides[0] if besides else Rejection("no_records", "no packet in the body", SOURCE)
        raise Problem(422, why.reason, f"{why.source}: {why.detail}", rejected=besides)
    return alerts, rejected


def _outcomes(body: bytes, seconds: float) -> Iterator[Alert | Rejection]:
    if body.startswith(BZIP2):  # a kilobyte of it may be a gigabyte: no time is kept while it is unpacked
        yield Rejection("other_archive", "compressed by bzip2, which is not taken; use gzip or xz", SOURCE)
        return
    end = time.monotonic() + seconds
    for block in read_stream(_Timed(body, end), SOURCE):
        if isinstance(block, Rejection):
            yield block
            continue
        for outcome in decode_block(block):
            yield outcome
            require_time(end)


class _Timed(io.BytesIO):
    """Bytes that are there for a while: what unpacks them asks for more and more, and a bomb has no end."""

    def __init__(self, data: bytes, end: float) -> None:
        super().__init__(data)
        self._end = end

    def read(self, size: int | None = -1) -> bytes:
        require_time(self._end)
        return super().read(size)


def require_time(end: float) -> None:
    """Make sure that there is time left.

    Raises:
        Problem: there is none.
    """
    if time.monotonic() > end:
        raise Problem(413, TOO_LONG, "unpacking takes too long; send fewer packets at a time")
