"""Training alerts as other surveys send them: young ones, and those that have never detected the object before.

And alerts of which an earlier stamp is shown, not their own, so that a model that may be given several packets of an
object knows a stamp beside any of its rows.

What counters and histories tell depends on when the survey began to watch. In a share of the training examples,
`training.young`, it began on the night of the alert, 30 days before, or at a time between. In another,
`training.lone`, nothing was detected before the alert, though the place was watched.
"""

import numpy as np

from jtss.config.settings import Config
from jtss.network.packets import Watched
from jtss.schema import TOLD_DAYS

EARLIER = 0.25  # of the packets of which an earlier stamp may be shown


def watched(config: Config, n_alerts: int, n_before: int) -> Watched:
    """For how long a survey has watched when each alert comes, a third of the young from that exposure on.

    Args:
        n_alerts: K. n_before: objects of the data set before these, so that no draw is that of other alerts.
    """
    rng = np.random.default_rng((n_before, n_alerts))
    days = TOLD_DAYS * np.clip(rng.uniform(-1, 2, n_alerts), 0, 1)
    drawn, training = rng.uniform(size=n_alerts), config.training
    is_young, is_lone = drawn < training.young, drawn >= 1 - training.lone
    shown = rng.integers(1, max(config.packet.stamps, 2), n_alerts)
    shown = np.where((rng.uniform(size=n_alerts) < EARLIER) & (config.packet.stamps > 1), shown, 0)
    return Watched(np.where(is_young, days, np.where(is_lone, TOLD_DAYS, np.inf)), is_lone, shown)
