"""Why a request has no answer, as a document for programs: RFC 9457, with the reasons of the ledger."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi.responses import JSONResponse

from data_prep.ledger import Rejection

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        reason: a short fixed name.
        detail: what was there and what was expected, for a person.
        rejected: packets that cannot be used.
        retry_seconds: after which it is worth asking again; None: it is not.
        hangs_up: the connection is closed, since no more is expected of it.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        rejected: Sequence[Rejection] = (),
        retry_seconds: int | None = None,
        hangs_up: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail
        self.rejected, self.retry_seconds, self.hangs_up = rejected, retry_seconds, hangs_up

    def response(self, headers: dict[str, str] | None = None) -> JSONResponse:
        said = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "rejected": [as_rejected(one) for one in self.rejected],
        }
        again = {} if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        end = {"Connection": "close"} if self.hangs_up else {}
        return JSONResponse(said, self.status, (headers or {}) | again | end, media_type=MEDIA_TYPE)


def as_rejected(one: Rejection) -> dict:
    """A packet that cannot be used, with the fields of a dead letter."""
    return {
        "objectId": one.object_id or None,
        "candid": one.candid or None,
        "reason": one.reason,
        "detail": one.detail,
        "source": one.source,
        "n_packets": one.n_alerts,
    }
