"""What a packet tells of its object's past: earlier detections and upper limits of 30 days.

One function serves the packets' `prv_candidates` and the rows of the data file.
"""

import numpy as np

from data_prep.simulate.survey import Observed
from jtss.schema import TOLD_DAYS


def told(observed: Observed, row: int) -> tuple[np.ndarray, np.ndarray]:
    """The past that the packet of one alert tells.

    Args:
        row: of the alert among the detections.

    Returns:
        Rows of earlier detections, and rows of `observed.limits`; ascending in time.

    ZTF alert schema, prv_candidates: 30 days, without the exposure itself.
    """
    now = observed.columns["jd"][row]
    owner = observed.alerts.owner[row]
    return (
        _earlier(observed.alerts.owner, observed.columns["jd"], owner, now),
        _earlier(observed.limits["owner"], observed.limits["jd"], owner, now),
    )


def _earlier(owners: np.ndarray, jd: np.ndarray, owner: int, now: float) -> np.ndarray:
    first, last = np.searchsorted(owners, [owner, owner + 1])
    times = jd[first:last]
    return first + np.flatnonzero((times > now - TOLD_DAYS) & (times < now))
