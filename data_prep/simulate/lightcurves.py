"""How light changes: pure functions of time, vectorised over objects [O] and exposures [O, V]."""

import numpy as np


def damped_random_walk(rng: np.random.Generator, jd: np.ndarray, tau_days: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """A stationary Ornstein-Uhlenbeck process at the given times.

    Args:
        jd: [O, V] ascending [day].
        tau_days, sigma: [O] relaxation time [day] and standard deviation.

    Returns:
        [O, V]; the covariance of two times is sigma^2 exp(-|dt| / tau).

    Kelly et al. 2009, ApJ 698, 895.
    """
    draws = rng.standard_normal(jd.shape)
    keep = np.exp(-np.diff(jd, axis=1) / tau_days[:, None])
    kick = np.sqrt(1 - keep**2)
    walk = np.empty(jd.shape)
    walk[:, 0] = draws[:, 0]
    for step in range(1, jd.shape[1]):
        walk[:, step] = keep[:, step - 1] * walk[:, step - 1] + kick[:, step - 1] * draws[:, step]
    return sigma[:, None] * walk


def rr_lyrae(phase: np.ndarray, asymmetry: np.ndarray) -> np.ndarray:
    """Saw tooth between -0.5 (bright) and 0.5: rises in a fraction `asymmetry` [O] of the cycle; magnitudes."""
    rise = asymmetry[:, None]
    return np.where(phase < rise, 0.5 - phase / rise, (phase - rise) / (1 - rise) - 0.5)


def eclipses(phase: np.ndarray, width: np.ndarray, secondary: np.ndarray) -> np.ndarray:
    """Dimming 0 to 1 of an eclipsing binary: primary at phase 0, `secondary` [O] times as deep at 0.5; magnitudes."""
    primary = np.exp(-0.5 * (np.minimum(phase, 1 - phase) / width[:, None]) ** 2)
    return primary + secondary[:, None] * np.exp(-0.5 * ((phase - 0.5) / width[:, None]) ** 2)


def outburst(days: np.ndarray, rise_days: np.ndarray, plateau_days: np.ndarray, decline_days: np.ndarray) -> np.ndarray:
    """Brightening 0 to 1 (in magnitudes) of a dwarf nova: linear rise, plateau, exponential decline."""
    rising = np.clip(1 + days / rise_days[:, None], 0, 1)
    return rising * np.exp(-np.clip(days - plateau_days[:, None], 0, 200) / decline_days[:, None])


def supernova(days: np.ndarray, rise_days: np.ndarray, plateau_days: np.ndarray, fall_days: np.ndarray) -> np.ndarray:
    """Relative flux, 1 at peak (day 0): a fireball that starts as t^2, a plateau, a fall and a radioactive tail.

    Args:
        days: [O, V] time since peak, in the observer's frame [day].
        rise_days, plateau_days, fall_days: [O] in the observer's frame.
    """
    rise = 1 + np.clip(days / rise_days[:, None], -1, 0)
    after = np.clip(days - plateau_days[:, None], 0, None) / fall_days[:, None]
    fall = 0.95 * np.exp(-0.5 * np.minimum(after, 30.0) ** 1.5) + 0.05 * np.exp(-np.minimum(after, 300.0) / 5)
    return np.where(days < 0, rise**2 * (3 - 2 * rise), 1.0) * (days > -rise_days[:, None]) * fall
