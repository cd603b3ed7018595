"""Populations of the simulator, and what fires of them."""

import numpy as np

from data_prep.simulate import cadence, survey
from data_prep.simulate.detections import fired
from jtss.schema import CLASS_NAMES


def plan(n, seed=1):
    """The exposures of n places."""
    return cadence.schedule(np.random.default_rng(seed), n)


def whole(n, seed=1):
    """Every exposure of n places with its conditions."""
    made = plan(n, seed)
    return cadence.visits(np.random.default_rng(seed + 1), made, made.begin_jd, np.full(n, np.inf))


def watched(name, n, sky="paper", seed=1):
    """A population of a class, its alerts and its limits."""
    rng = np.random.default_rng(seed)
    population, _ = survey.populate(rng, CLASS_NAMES.index(name), cadence.schedule(rng, n), sky)
    return population, *fired(rng, population)
