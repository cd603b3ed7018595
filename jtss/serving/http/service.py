"""What a service does with the body of a request, whoever calls it: classify its packets, or explain one of them."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.serving.http.explaining import pictured
from jtss.serving.http.limits import LIMITS, Limits, Places
from jtss.serving.http.merging import Merger, Question
from jtss.serving.http.models import Served
from jtss.serving.http.problems import Problem, as_rejected
from jtss.serving.http.reading import alerts_of
from jtss.serving.http.tally import Tally
from jtss.serving.http.warming import warm
from jtss.serving.http.worker import Worker, outcome
from jtss.serving.log import Log


class Service:
    """Models with a thread that classifies and one that explains, which takes some thirty times as long.

    Packets to classify that wait are answered together, see `merging`; explanations one after the other.

    Attributes:
        models: by name; the first answers where none is asked for.
        limits: of requests.
        tally: of what was done.
        places, explanations: that requests take while they are at work.
        warmed: done when the models are ready to answer; with the error, when they cannot be made so.
    """

    def __init__(self, models: Mapping[str, Served], log: Log, limits: Limits = LIMITS) -> None:
        self.models, self.limits, self.log, self.tally = models, limits, log, Tally()
        self.places, self.explanations = Places(limits.requests), Places(limits.explanations)
        self._classifier, self._explainer = Worker("classify"), Worker("explain")
        self._merger = Merger(self._classifier, limits)
        self.warmed: Future[None] = Future()

    def begin(self) -> None:
        """Make ready to answer, without waiting for it."""
        self._classifier.begin(self._warm)

    def close(self) -> None:
        self._classifier.close()
        self._explainer.close()

    def is_ready(self) -> bool:
        return self.warmed.done() and self.warmed.exception() is None

    def require_ready(self) -> None:
        """Raise Problem while the models are not ready to answer."""
        if not self.is_ready():
            raise Problem(503, "not_ready", "the models are being made ready; ask again", retry_seconds=5)

    def served(self, name: str | None) -> Served:
        """A model by its name.

        Raises:
            Problem: there is none of this name.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem(404, "unknown_model", f"model {name[:80]}: expected one of {', '.join(self.models)}")
        return self.models[name]

    async def classify(self, body: bytes, name: str | None, *, trajectory: bool, began: float) -> dict:
        """The document `documents.Answers` of the packets in a body.

        Args:
            began: when the request came, of `time.monotonic`.

        Raises:
            Problem: no packet of it can be answered.
        """
        asked = self._merger.ask(Question(self.served(name).by, trajectory, body))
        results = await outcome(asked, self.limits.answer_seconds)
        self.tally.answered(results, began, time.monotonic())
        rejected = [one for one in results if isinstance(one, Rejection)]
        if len(rejected) == len(results):
            raise _unusable(rejected)
        found = [one for one in results if not isinstance(one, Rejection)]
        return {"answers": found, "rejected": [as_rejected(one) for one in rejected]}

    async def explain(self, body: bytes, name: str | None, candid: int | None) -> dict:
        """The document `documents.Explanation` of a packet in a body.

        Args:
            candid: of the packet; None: there is one only.

        Raises:
            Problem: there is no such packet, there are several, or it cannot be answered.
        """
        job = partial(_of_one, self.served(name).explain, body, self.limits, candid)
        return await self._explainer.do(job, self.limits.answer_seconds)

    async def stamps(self, body: bytes, candid: int | None) -> dict:
        """The document `documents.Stamps` of a packet in a body; arguments and errors as `explain` has them."""
        return await self._classifier.do(
            partial(_of_one, pictured, body, self.limits, candid), self.limits.answer_seconds
        )

    def _warm(self) -> None:
        began = time.monotonic()
        try:
            for one in self.models.values():
                warm(one.model)
        except Exception as error:
            self.warmed.set_exception(error)
            return
        self.log.say("ready", models=[*self.models], seconds=round(time.monotonic() - began, 1))
        self.warmed.set_result(None)


def _of_one(say: Callable[[Alert], dict | Rejection], body: bytes, limits: Limits, candid: int | None) -> dict:
    """What is said of the one packet of a body that is asked about."""
    alerts, rejected = alerts_of(body, limits)
    if candid is not None:
        alerts = [alert for alert in alerts if alert.candid == candid][:1]
        rejected = [one for one in rejected if one.candid == candid]
        if not alerts and not rejected:
            raise Problem(422, "no_such_packet", f"no packet of candid {candid} in the body")
    if not alerts:
        raise _unusable(rejected)
    if len(alerts) > 1:
        raise Problem(422, "several_packets", f"{len(alerts)} packets in the body; say which by candid=")
    found = say(alerts[0])
    if isinstance(found, Rejection):
        raise _unusable([found])
    return found


def _unusable(rejected: list[Rejection]) -> Problem:
    first = rejected[0]
    more = "" if len(rejected) == 1 else f" (and {len(rejected) - 1} more)"
    return Problem(422, first.reason, f"{first.source}: {first.detail}{more}", rejected=rejected)
