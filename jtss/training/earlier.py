"""Training packets that show the stamp of an earlier alert, not their own.

So a model that may be given several packets of an object knows a stamp beside any of its rows.
"""

import numpy as np

from jtss.config.settings import Config

SHARE = 0.25  # of the packets, where a model reads several stamps


def stamps(config: Config, n_alerts: int, rng: np.random.Generator) -> np.ndarray:
    """[K] int64: by how many alerts back is the stamp that each of K packets shows; 0: its own."""
    back = rng.integers(1, max(config.packet.stamps, 2), n_alerts)
    return np.where((rng.uniform(size=n_alerts) < SHARE) & (config.packet.stamps > 1), back, 0)
