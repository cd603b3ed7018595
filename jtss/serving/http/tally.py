"""Numbers of a service that answers requests: those that every service has, and of its requests."""

import threading
from collections import Counter

from data_prep.ledger import Rejection
from jtss.serving.messages import Outcome, Partition, Received
from jtss.serving.metrics import Metrics

NOWHERE = Partition("http", 0)  # requests stand in no topic


class Tally:
    """Packets by class and reason, with their times, by `Metrics`; requests by path and status."""

    def __init__(self) -> None:
        self._packets = Metrics(failures=())
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()

    def answered(self, results: list[dict | Rejection], began: float, now: float) -> None:
        """Count the packets of a request that came at `began`, of `time.monotonic`."""
        came = Received(NOWHERE, 0, None, None, began)
        self._packets.delivered(
            (
                Outcome(came, None, "", True, one.reason)
                if isinstance(one, Rejection)
                else Outcome(came, None, "", False, one["class"])
                for one in results
            ),
            now,
        )

    def requested(self, path: str, status: int) -> None:
        with self._lock:
            self._requests[path, status] += 1

    def totals(self) -> dict[str, int]:
        """Requests, answers and packets without an answer so far."""
        packets = self._packets.totals()
        with self._lock:
            n_requests = self._requests.total()
        return {"requests": n_requests, "answers": packets["answers"], "rejected": packets["dead_letters"]}

    def text(self, n_at_work: int, is_ready: bool) -> str:
        """All numbers; Prometheus text format 0.0.4."""
        with self._lock:
            requests = sorted(self._requests.items())
        lines = [
            "# HELP jtss_requests_total Requests, by path and status.",
            "# TYPE jtss_requests_total counter",
            *(f'jtss_requests_total{{path="{path}",status="{status}"}} {n}' for (path, status), n in requests),
            "# HELP jtss_requests_at_work Requests that are read or answered.",
            "# TYPE jtss_requests_at_work gauge",
            f"jtss_requests_at_work {n_at_work}",
            "# HELP jtss_ready Whether the models are ready to answer.",
            "# TYPE jtss_ready gauge",
            f"jtss_ready {int(is_ready)}",
        ]
        return self._packets.text() + "\n".join(lines) + "\n"
