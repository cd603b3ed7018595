"""The stamps of objects' earlier alerts, kept between messages, so that all that were seen count.

An answer then depends on what this process has seen, and no longer on its packet alone.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from data_prep.packets.history import NOT_ASKED
from jtss.errors import InputError
from jtss.invocation import option
from jtss.serving.answering import Answerer, answers


class Memory:
    """What answers alerts, and the latest alerts of the objects that it has answered."""

    def __init__(self, by: Answerer, most: int) -> None:
        """Begin with an empty memory.

        Args:
            by: what answers.
            most: alerts that are kept, without the histories that their packets tell. Of one object these are no more
                than a packet shows beside its own; the objects that were answered least recently go first.

        Raises:
            InputError: `most` is below 1, or the model does not read the stamps of several alerts.
        """
        if most < 1:
            raise InputError(f"{option('remember', most)}: expected 1 or more, how many alerts are kept")
        reads = by.classifier.reads
        n_stamps = reads.packet.stamps if reads.stamp.channels else 0
        if n_stamps < 2:
            raise InputError(
                f"{option('remember', most)}: {by.classifier.name} reads {'one stamp' if n_stamps else 'no stamps'},"
                " expected a model that reads the stamps of several alerts, as any"
            )
        self._by, self._most, self._most_of_object = by, most, min(n_stamps - 1, most)
        self._kept: OrderedDict[str, dict[int, Alert]] = OrderedDict()  # by object and candid, the latest answered last
        self._n_kept = 0

    def answers(self, alerts: Sequence[Alert]) -> list[dict | Rejection]:
        """As `answering.answers`, with the stamps of earlier alerts that are kept or among these.

        An alert that cannot be answered with them is answered by its packet alone.
        """
        known = {alert.object_id: dict(self._kept.get(alert.object_id, {})) for alert in alerts}
        for alert in alerts:
            known[alert.object_id][alert.candid] = _bare(alert)
        earlier = [self._told(alert, known[alert.object_id].values()) for alert in alerts]
        found = answers(self._by, alerts, earlier=earlier)
        for place, alert in enumerate(alerts):
            if isinstance(found[place], Rejection) and earlier[place]:
                (found[place],) = answers(self._by, [alert])
            if not isinstance(found[place], Rejection):
                self._keep(alert)
        return found

    def _told(self, alert: Alert, others: Iterable[Alert]) -> list[Alert]:
        """The latest of the alerts of an object that one of them tells, and that were before it."""
        told = {*alert.history.candid.tolist()} - {alert.candid}
        return self._latest(one for one in others if one.candid in told and one.jd < alert.jd)

    def _latest(self, alerts: Iterable[Alert]) -> list[Alert]:
        return sorted(alerts, key=lambda one: (one.jd, one.candid))[-self._most_of_object :]

    def _keep(self, alert: Alert) -> None:
        before = self._kept.pop(alert.object_id, {})
        latest = self._latest((before | {alert.candid: _bare(alert)}).values())
        self._kept[alert.object_id] = {one.candid: one for one in latest}
        self._n_kept += len(latest) - len(before)
        while self._n_kept > self._most:
            _, gone = self._kept.popitem(last=False)
            self._n_kept -= len(gone)


def _bare(alert: Alert) -> Alert:
    return alert._replace(history=NOT_ASKED)
