"""How the answers of a classifier move from row to row of what it reads: how often they flip, how far they go.

A trajectory is the probabilities after each of its rows, in time order. Several stand one after the other, told apart
by their number.
"""

from typing import NamedTuple

import numpy as np

from jtss.schema import SAME_TIME_DAYS

DAYS_EDGES = (SAME_TIME_DAYS, 1, 3, 10)  # since the first detection; a packet tells no more than 30 days
DAYS_NAMES = ("0 days", "below 1 day", "1 to 3 days", "3 to 10 days", "10 to 30 days")
NO_ANSWER = -1


class Movement(NamedTuple):
    """How the answers along each of K trajectories move, from the first answer to the last.

    Attributes:
        new_rows: [K] int64; answers after the first one.
        flips: [K] int64; how often the most probable class is another than after the row before.
        path: [K] float64; the sum of `wasserstein` between consecutive answers: 1 for a certain answer that becomes
            another certain one.
    """

    new_rows: np.ndarray
    flips: np.ndarray
    path: np.ndarray


def movement(probabilities: np.ndarray, trajectory: np.ndarray, n_trajectories: int) -> Movement:
    """How K trajectories move.

    Args:
        probabilities: [T, L]; NaN where there is no answer yet, such rows are passed over.
        trajectory: [T] int64; which of the K a row is of, ascending.
        n_trajectories: K.
    """
    answered = np.isfinite(probabilities).all(axis=1)
    probabilities, trajectory = probabilities[answered], trajectory[answered]
    goes_on = trajectory[1:] == trajectory[:-1]
    before, after, of = probabilities[:-1][goes_on], probabilities[1:][goes_on], trajectory[1:][goes_on]
    flipped = before.argmax(axis=1) != after.argmax(axis=1)
    return Movement(
        new_rows=np.bincount(of, minlength=n_trajectories),
        flips=np.bincount(of[flipped], minlength=n_trajectories),
        path=np.bincount(of, weights=wasserstein(before, after), minlength=n_trajectories),
    )


def wasserstein(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance between class probabilities, the distance of any two classes being 1.

    Classes have no order, so none is farther from another than a third. Then what one distribution has in excess
    is carried by 1 wherever it is lacking, and the least cost is the amount carried, ½ Σ |p − q|: the distance is the
    total variation.

    Args:
        before, after: [..., L], each adding up to 1.

    Returns:
        [...] float64, 0 (the same) to 1 (no class in common).

    Villani 2009, Optimal Transport: Old and New, chapter 6.
    """
    return np.abs(np.asarray(after, np.float64) - before).sum(axis=-1) / 2


def days_since_first(jd: np.ndarray, answered: np.ndarray, trajectory: np.ndarray, n_trajectories: int) -> np.ndarray:
    """[T] float64 [day] since the first answer of each row's trajectory, NaN before it.

    Args:
        jd: [T] [day]. answered: [T] bool. trajectory: [T] int64, ascending.
        n_trajectories: K, each with an answer at the least.
    """
    rows = np.flatnonzero(answered)
    first = rows[np.searchsorted(trajectory[rows], np.arange(n_trajectories))]
    return np.where(answered, jd - jd[first][trajectory], np.nan)


def last_by_days(days: np.ndarray, trajectory: np.ndarray, n_trajectories: int) -> np.ndarray:
    """The last row of each trajectory in each bin of `DAYS_NAMES`, lower edge included.

    Args:
        days: [T] since the first answer; NaN rows are in no bin.
        trajectory: [T] int64, which of the K a row is of.
        n_trajectories: K.

    Returns:
        [K, D] int64; `NO_ANSWER` where there is no row.
    """
    last = np.full((n_trajectories, len(DAYS_NAMES)), NO_ANSWER)
    rows = np.flatnonzero(np.isfinite(days))
    np.maximum.at(last, (trajectory[rows], np.searchsorted(DAYS_EDGES, days[rows], side="right")), rows)
    return last
