"""Numbers of a service, counted by its threads and told in Prometheus's text format or as JSON; its latest answers."""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping

import numpy as np

from jtss.serving.messages import Outcome, Partition

REMEMBERED = 2048  # the latest answers, of whose times the quantiles are
N_LATEST = 12  # answers to show
SHOWN = ("objectId", "n_detections", "class", "probabilities", "answered")  # of each
QUANTILES = (0.5, 0.9, 0.99)
FAILURES = {
    "cluster": "Looks at the connections to the cluster that found none, one every five seconds.",
    "sink": "Deliveries that failed and were tried again.",
    "registry": "Questions to the schema registry that failed and were asked again.",
}
ALIVE_SECONDS = 60  # without a turn of the loop that polls, a service is not well


class Metrics:
    """What a service has done, and how it is.

    Args:
        failures: those of FAILURES that it can have.
    """

    def __init__(self, failures: Iterable[str] = FAILURES) -> None:
        self._lock = threading.Lock()
        self._answers, self._dead = Counter(), Counter()
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)
        self._sum_seconds = 0.0
        self._latest: deque[str] = deque(maxlen=N_LATEST)  # lines of JSON
        self._lag: dict[Partition, int] = {}
        self._failures = dict.fromkeys(failures, 0)
        self._fails: set[str] = set()  # of failures, with what it waits for now
        self._joined = False
        self._turned = time.monotonic()

    def delivered(self, outcomes: Iterable[Outcome], now: float) -> None:
        """Count what is in the sink since `now`, of `time.monotonic`."""
        with self._lock:
            for outcome in outcomes:
                (self._dead if outcome.is_dead else self._answers)[outcome.name] += 1
                if not outcome.is_dead:
                    self._latest.append(outcome.line)
                self._seconds.append(now - outcome.message.seconds)
                self._sum_seconds += now - outcome.message.seconds

    def failed(self, what: str) -> None:
        """One of its failures; the service tries again."""
        with self._lock:
            self._failures[what] += 1
            self._fails.add(what)

    def works(self, what: str) -> None:
        with self._lock:
            self._fails.discard(what)

    def turned(self, lag: Mapping[Partition, int]) -> None:
        """The loop that polls has made a turn; messages behind the end, of each assigned partition."""
        with self._lock:
            self._turned, self._lag = time.monotonic(), dict(lag)

    def joined(self) -> None:
        """The service has its share of the partitions, be it none."""
        with self._lock:
            self._joined = True

    def is_alive(self) -> bool:
        with self._lock:
            return time.monotonic() - self._turned < ALIVE_SECONDS

    def is_ready(self) -> bool:
        """It joined its group, is connected to the cluster, its sink takes answers, and the registry gives them."""
        with self._lock:
            return self._joined and not self._fails

    def totals(self) -> dict[str, int]:
        """Answers and dead letters so far."""
        with self._lock:
            return {"answers": self._answers.total(), "dead_letters": self._dead.total()}

    def numbers(self) -> dict:
        """All numbers, for JSON: counts by name, quantiles [s], None where nothing is known."""
        ready, alive = self.is_ready(), self.is_alive()
        with self._lock:
            quantiles = np.quantile(self._seconds, QUANTILES).tolist() if self._seconds else [None] * len(QUANTILES)
            return {
                "answers": dict(sorted(self._answers.items())),
                "dead_letters": dict(sorted(self._dead.items())),
                "lag_messages": {f"{topic}[{number}]": n for (topic, number), n in sorted(self._lag.items())},
                "latency_seconds": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
                "sum_seconds": self._sum_seconds,
                "failures": dict(self._failures),
                "waits_for": sorted(self._fails),
                "is_ready": ready,
                "is_alive": alive,
            }

    def latest(self) -> list[dict]:
        """SHOWN of the latest answers, the newest first; for JSON."""
        with self._lock:
            lines = [*reversed(self._latest)]
        return [{name: answer[name] for name in SHOWN} for answer in map(json.loads, lines)]

    def text(self) -> str:
        """All numbers; Prometheus text format 0.0.4."""
        told = self.numbers()
        with self._lock:
            lag = sorted(self._lag.items())
        lines = [
            "# HELP jtss_answers_total Packets answered, by predicted class.",
            "# TYPE jtss_answers_total counter",
            *(_line("jtss_answers_total", n, {"class": name}) for name, n in told["answers"].items()),
            "# HELP jtss_dead_letters_total Messages without an answer, by reason.",
            "# TYPE jtss_dead_letters_total counter",
            *(_line("jtss_dead_letters_total", n, {"reason": name}) for name, n in told["dead_letters"].items()),
            f"# HELP jtss_latency_seconds From receipt to delivery; quantiles of the latest {REMEMBERED}.",
            "# TYPE jtss_latency_seconds summary",
            *(
                _line("jtss_latency_seconds", float("nan") if value is None else value, {"quantile": quantile})
                for quantile, value in told["latency_seconds"].items()
            ),
            _line("jtss_latency_seconds_sum", told["sum_seconds"]),
            _line("jtss_latency_seconds_count", sum(told["answers"].values()) + sum(told["dead_letters"].values())),
        ]
        if lag:
            lines += [
                "# HELP jtss_lag_messages Messages between the last one delivered and the end of a partition.",
                "# TYPE jtss_lag_messages gauge",
                *(_line("jtss_lag_messages", n, {"topic": topic, "partition": number}) for (topic, number), n in lag),
            ]
        for what, n in told["failures"].items():
            name = f"jtss_{what}_failures_total"
            lines += [f"# HELP {name} {FAILURES[what]}", f"# TYPE {name} counter", _line(name, n)]
        return "\n".join(lines) + "\n"


def _line(name: str, value: float, labels: Mapping[str, object] | None = None) -> str:
    said = ",".join(f'{label}="{_escaped(text)}"' for label, text in (labels or {}).items())
    number = "NaN" if np.isnan(value) else repr(float(value)) if isinstance(value, float) else str(value)
    return f"{name}{{{said}}} {number}" if said else f"{name} {number}"


def _escaped(text: object) -> str:
    return str(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
