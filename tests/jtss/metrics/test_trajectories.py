"""How answers move, against sums by hand, plain loops, and optimal transport by brute force."""

import numpy as np
import pytest
from scipy.optimize import linprog

from jtss.metrics import trajectories
from jtss.metrics.trajectories import DAYS_NAMES, NO_ANSWER

NOTHING = (np.nan, np.nan, np.nan)
# Four trajectories: AGN, AGN, SN, AGN after two rows without an answer; one row; two of VS; nothing but limits before
# the only answer.
PROBABILITIES = np.array(
    [NOTHING, NOTHING, (0.8, 0.1, 0.1), (0.6, 0.3, 0.1), (0.2, 0.7, 0.1), (0.5, 0.4, 0.1),
     (0.1, 0.8, 0.1),
     (0.0, 0.0, 1.0), (0.0, 0.25, 0.75),
     NOTHING, (1.0, 0.0, 0.0)]
)  # fmt: skip
TRAJECTORY = np.repeat(np.arange(4), (6, 1, 2, 2))


def test_movement_by_hand():
    moved = trajectories.movement(PROBABILITIES, TRAJECTORY, 4)
    assert moved.new_rows.tolist() == [3, 0, 1, 0]
    assert moved.flips.tolist() == [2, 0, 0, 0]
    np.testing.assert_allclose(moved.path, [0.2 + 0.4 + 0.3, 0, 0.25, 0], atol=1e-12)


def test_nothing_moves_from_one_trajectory_to_the_next():
    """Two that never move, of different classes; as one trajectory they would flip once, and go all the way."""
    probabilities = np.repeat(np.eye(2), 3, axis=0)
    apart = trajectories.movement(probabilities, np.repeat([0, 1], 3), 2)
    assert (apart.flips.tolist(), apart.path.tolist()) == ([0, 0], [0, 0])
    together = trajectories.movement(probabilities, np.zeros(6, int), 1)
    assert (together.flips.tolist(), together.path.tolist()) == ([1], [1])


def test_no_rows_and_trajectories_without_an_answer():
    moved = trajectories.movement(np.full((3, 2), np.nan), np.array([0, 0, 2]), 3)
    assert all(values.tolist() == [0, 0, 0] for values in moved)


def transported(p, q):
    """The least cost of carrying p [L] to q [L] where every way to another class costs 1, by linear programming."""
    n = len(p)
    leaves, arrives = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    plan = linprog((1 - np.eye(n)).ravel(), A_eq=np.vstack([leaves, arrives]), b_eq=np.concatenate([p, q]))
    assert plan.status == 0
    return plan.fun


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_distance_is_the_least_cost_of_transport(n_classes):
    rng = np.random.default_rng(n_classes)
    before, after = rng.dirichlet(np.full(n_classes, 0.5), (2, 8))
    expected = [transported(*pair) for pair in zip(before, after, strict=True)]
    np.testing.assert_allclose(trajectories.wasserstein(before, after), expected, atol=1e-9)


def test_the_distance_of_certain_answers():
    assert trajectories.wasserstein(*np.eye(3)[:2]) == 1
    assert trajectories.wasserstein(np.eye(3)[0], np.eye(3)[0]) == 0


def test_days_begin_with_the_first_answer_of_each():
    answered = np.isfinite(PROBABILITIES[:, 0])
    jd = 2458000.5 + np.array([0, 1, 2, 2.5, 4, 9, 0, 5, 6, 1, 3])
    days = trajectories.days_since_first(jd, answered, TRAJECTORY, 4)
    np.testing.assert_allclose(days, [np.nan, np.nan, 0, 0.5, 2, 7, 0, 0, 1, np.nan, 0])


def bin_of(days):
    """Name of the bin, case by case."""
    if days == 0:
        return "0 days"
    if days < 1:
        return "below 1 day"
    if days < 3:
        return "1 to 3 days"
    return "3 to 10 days" if days < 10 else "10 to 30 days"


def test_the_last_row_of_each_bin_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    trajectory = np.sort(rng.integers(0, 12, 80))
    days = rng.choice([0, 0.02, 0.9, 1, 2.9, 3, 9.9, 10, 29.9], 80)
    days = np.concatenate([np.sort(days[trajectory == i]) for i in range(12)])
    days[rng.random(80) < 0.2] = np.nan
    expected = np.full((12, 5), NO_ANSWER)
    for row, (which, since) in enumerate(zip(trajectory, days, strict=True)):
        if np.isfinite(since):
            expected[which, DAYS_NAMES.index(bin_of(since))] = row
    assert (expected != NO_ANSWER).any(axis=0).all()
    assert (expected == NO_ANSWER).any(axis=0).all()
    np.testing.assert_array_equal(trajectories.last_by_days(days, trajectory, 12), expected)
