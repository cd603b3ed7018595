"""ALeRCE: the detections of an object from one service, and each packet as ZTF sent it from another."""

import numpy as np

from data_prep.client import Client, Reply, Request
from data_prep.fetch.objects import (
    MJD_0,
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
from data_prep.packets.metadata import exact

COLUMNS = ("candid", "mjd", "has_stamp")
MOST_BYTES = 4 << 20  # of a packet; ZTF's have 70 kB


class Alerce:
    """ALeRCE's services for ZTF."""

    name = "alerce"

    def __init__(self, api: str, avro: str) -> None:
        """Takes the addresses of the two services."""
        self._api, self._avro = api.rstrip("/"), avro.rstrip("/")

    def ask_object(self, client: Client, object_id: str) -> Reply:
        def read(reply: Reply) -> Reply:
            require_kind(reply, is_json=True)
            self.listing(object_id, reply.body)
            return reply

        try:
            return client.ask(Request(f"{self._api}/objects/{object_id}/detections"), read)
        except Lost as lost:
            if lost.outcome == ABSENT:
                raise Lost(ABSENT, "unknown_object", lost.detail) from None
            raise

    def listing(self, object_id: str, answer: bytes) -> Listing:
        rows = rows_of(answer, f"{object_id}: detections")
        if not rows:
            raise Lost(ABSENT, "unknown_object", f"{object_id}: no detection")
        require_columns(rows, COLUMNS, f"{object_id}: detections")
        strange = [row["has_stamp"] for row in rows if not isinstance(row.get("has_stamp"), bool | None)]
        if strange:  # not to be taken for an object without stamps
            detail = f"{object_id}: detections: has_stamp is {str(strange[0])[:40]!r}, expected true or false"
            raise Lost(DAMAGED, "changed_columns", detail, again=True)
        stamped = [row for row in rows if row.get("has_stamp") is True]
        pairs = [(exact(row.get("candid")), finite(row.get("mjd"))) for row in stamped]
        good = [(candid, mjd) for candid, mjd in pairs if candid and mjd is not None]
        notes = ["detections without a candid or a time"] * (len(pairs) - len(good))
        candid = np.array([candid for candid, _ in good], np.int64)
        return Listing(candid, np.array([mjd for _, mjd in good], float) + MJD_0, notes=notes)

    def ask_packet(self, client: Client, object_id: str, candid: int, listing: Listing) -> Packet:
        def read(reply: Reply) -> Packet:
            require_kind(reply, is_json=False)
            check_packet(reply.body, object_id, candid, reply.url)
            return Packet(reply.body, provenance(reply))

        params = {"oid": object_id, "candid": str(candid)}
        return client.ask(Request(f"{self._avro}/get_avro", params), read, MOST_BYTES)
