"""What the repeats of a configuration come to: mean, spread over seeds, and how far the test objects carry it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jtss.experiments.paper import cells
from jtss.experiments.paper.cells import Setup
from jtss.experiments.paper.results import Result
from jtss.reports import comparisons
from jtss.reports.statistics import CONFIDENCE, N_RESAMPLES, Interval, deviation


class Spread(NamedTuple):
    """An accuracy over repeats.

    Attributes:
        mean: 0 to 1.
        sd: sample standard deviation over seeds (ddof = 1); NaN for one seed.
        seeds, wanted: repeats that are there, and that were asked for.
        interval: 95 %, over test objects.
    """

    mean: float
    sd: float
    seeds: int
    wanted: int
    interval: Interval


class Measured:
    """The results of one data set, found by configuration."""

    def __init__(self, results: Mapping[str, Result], data_hash: str):
        self._results, self.data_hash = results, data_hash

    def of(self, setup: Setup) -> list[Result]:
        """The repeats that are there, in the order of their seeds."""
        wanted = cells.of(setup, self.data_hash)
        return [self._results[cell.id] for cell in wanted if cell.id in self._results]

    def is_complete(self, setup: Setup) -> bool:
        return len(self.of(setup)) == setup.seeds

    def accuracy(self, setup: Setup) -> Spread | None:
        """Test accuracy; None where nothing is measured."""
        found = self.of(setup)
        if not found:
            return None
        values = _accuracies(found)
        sd = float(deviation(values))
        return Spread(float(values.mean()), sd, len(values), setup.seeds, over_objects(_rates(found)))

    def validation_accuracy(self, setup: Setup) -> float:
        """Mean over repeats, by which configurations are chosen; -1 where nothing is measured."""
        found = self.of(setup)
        return float(np.mean([result.validation_accuracy for result in found])) if found else -1.0

    def confusion(self, setup: Setup) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and standard deviation over repeats of the test counts, [L, L] float64 each; that of one is NaN."""
        counts = np.array([result.confusion for result in self.of(setup)], float)
        if not len(counts):
            return None
        return counts.mean(axis=0), deviation(counts)

    def milliseconds(self, setup: Setup) -> float | None:
        """Inference time per object [ms]: the median over repeats."""
        found = self.of(setup)
        return 1000 * float(np.median([result.inference["median_s_per_object"] for result in found])) if found else None

    def p_value(self, setup: Setup, reference: Setup) -> float | None:
        """Permutation test of the accuracies of all repeats; None where either has fewer than two."""
        one, other = self.of(setup), self.of(reference)
        if min(len(one), len(other)) < 2:
            return None
        return comparisons.permutation_test(_accuracies(one), _accuracies(other))

    def gain(self, setup: Setup, reference: Setup) -> tuple[float, Interval] | None:
        """Accuracy less that of a reference on the same objects, with its interval over objects."""
        one, other = self.of(setup), self.of(reference)
        if not (one and other):
            return None
        difference = _rates(one) - _rates(other)
        return float(difference.mean()), over_objects(difference)


def best(setups: Sequence[Setup], measured: Measured) -> Setup | None:
    """The complete configuration with the highest mean validation accuracy, the first of equals; None where none is."""
    ranked = ranking(setups, measured)
    return ranked[0] if ranked else None


def ranking(setups: Sequence[Setup], measured: Measured) -> list[Setup]:
    """The complete configurations, the highest mean validation accuracy first."""
    complete = [setup for setup in setups if measured.is_complete(setup)]
    return sorted(complete, key=lambda setup: -measured.validation_accuracy(setup))


def over_objects(values: np.ndarray, seed: int = 0) -> Interval:
    """Percentile bootstrap over objects of the mean of `values` [N].

    Efron 1979, Annals of Statistics 7, 1.
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), size=N_RESAMPLES)
    tails = [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]
    return Interval(*np.percentile(drawn @ distinct / len(values), tails))


def _accuracies(found: Sequence[Result]) -> np.ndarray:
    return np.array([result.accuracy for result in found])


def _rates(found: Sequence[Result]) -> np.ndarray:
    """[N] float64: share of the repeats that are right about each object."""
    return np.mean([result.hits for result in found], axis=0)
