"""Results: which of them count, and how sure their means are."""

import numpy as np

from helpers.made_experiments import DATA_HASH, made_result
from jtss.paper import grids
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured, best, over_objects


def test_results_on_other_data_never_enter_a_table():
    experiment = EXPERIMENTS["table8"]
    choice = choose("table8", experiment.extent, n=[2], seeds=2)
    setups = experiment.grid(choice)
    known = {trial.id: made_result(trial) for trial in grids.trials(setups[0], "other data")}
    measured = Measured(known, DATA_HASH)
    assert measured.accuracy(setups[0]) is None
    assert best(setups, measured) is None


def test_the_interval_over_objects_is_the_bootstrap_of_their_mean():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, 400) / 5
    interval = over_objects(values)
    means = rng.choice(values, (4000, len(values))).mean(axis=1)
    np.testing.assert_allclose([interval.lower, interval.upper], np.percentile(means, [2.5, 97.5]), atol=0.004)
