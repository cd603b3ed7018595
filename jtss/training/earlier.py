"""Training packets that show the stamp of an earlier alert, beside their own or in its place.

So a model that may be given several packets of an object knows stamps beside any of its rows. Two at most, because
stamps are what costs.
"""

import numpy as np

from jtss.config.settings import Config

MOST = 2
BESIDE, INSTEAD = 0.5, 0.25  # of the packets, where a model reads several stamps


def count(config: Config) -> int:
    """P, how many stamps a training packet shows at most."""
    return min(config.packet.stamps, MOST)


def stamps(config: Config, n_alerts: int, rng: np.random.Generator) -> np.ndarray:
    """[K, P] int64: by how many alerts back are the stamps that each of K packets is to show, 0: its own.

    One number twice is one stamp. A packet that does not tell so many alerts shows its own, see `packets.to_train`.
    """
    if count(config) == 1:
        return np.zeros((n_alerts, 1), np.int64)
    back = rng.integers(1, config.packet.stamps, n_alerts)
    drawn = rng.uniform(size=n_alerts)
    first = np.where(drawn < INSTEAD, back, 0)
    return np.stack([first, np.where(drawn < INSTEAD + BESIDE, back, 0)], axis=1)
