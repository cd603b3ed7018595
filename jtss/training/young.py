"""Training alerts as a young survey sends them.

What counters and histories tell depends on when the survey began to watch. In a share of the training examples,
`training.young`, it began on the night of the alert, 30 days before, or at a time between.
"""

import numpy as np

from jtss.config.settings import Config
from jtss.schema import TOLD_DAYS


def watched_days(config: Config, n_alerts: int, n_before: int) -> np.ndarray:
    """For how long the survey has watched when each alert comes: a third of the young from that exposure on.

    Args:
        n_alerts: K. n_before: objects of the data set before these, so that no draw is that of other alerts.

    Returns:
        [K] float64 [day], 0 to 30; infinite where the alert stays as it came.
    """
    rng = np.random.default_rng((n_before, n_alerts))
    days = TOLD_DAYS * np.clip(rng.uniform(-1, 2, n_alerts), 0, 1)
    return np.where(rng.uniform(size=n_alerts) < config.training.young, days, np.inf)
