"""Training alerts as other surveys send them: young ones, and those that have never detected the object before.

What counters and histories tell depends on when the survey began to watch. In a share of the training examples,
`training.young`, it began on the night of the alert, 30 days before, or at a time between. In another,
`training.lone`, nothing was detected before the alert, though the place was watched.
"""

import numpy as np

from jtss.config.settings import Config
from jtss.network.packets import Watched
from jtss.schema import TOLD_DAYS


def watched(config: Config, n_alerts: int, rng: np.random.Generator) -> Watched:
    """For how long a survey has watched when each of K alerts comes, a third of the young from that exposure on."""
    days = TOLD_DAYS * np.clip(rng.uniform(-1, 2, n_alerts), 0, 1)
    drawn, training = rng.uniform(size=n_alerts), config.training
    is_young, is_lone = drawn < training.young, drawn >= 1 - training.lone
    return Watched(np.where(is_young, days, np.where(is_lone, TOLD_DAYS, np.inf)), is_lone)
