"""What a training of an experiment came to, as a line of the store, and what the seeds of a configuration come to.

Of several seeds: their mean, the spread over seeds, and how far the test objects carry it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np

from jtss.config.settings import Config, from_dict, to_dict
from jtss.metrics import comparisons
from jtss.metrics.classification import confusion_matrix
from jtss.metrics.intervals import CONFIDENCE, N_RESAMPLES, Interval, deviation
from jtss.paper import grids
from jtss.paper.grids import Setup
from jtss.reports import page


@dataclass(frozen=True)
class Result:
    """What came of one cell.

    Attributes:
        id: of the cell; see `cells.identity`.
        config: settings, with the seed.
        seed: of the training.
        data, data_hash: the data file, and the hash of its content.
        truth, predicted: class of each test object, one digit each, in the order of the file.
        confusion: [L][L] counts; true class in rows.
        accuracy: of the test split.
        validation_accuracy, best_step: of the weights kept.
        steps: trained in all.
        seconds: of training, in all sittings; shared by the `together` cells that trained as one program in the last.
        inference: as `evaluation.inference_time` says.
        screened: by class, objects that were screened for bogus and how many were called bogus; None without.
        device, versions, commit, finished: what it was made with, and when; several devices or commits where it was
            stopped and went on with others.
    """

    id: str
    config: dict
    seed: int
    data: str
    data_hash: str
    truth: str
    predicted: str
    confusion: list[list[int]]
    accuracy: float
    validation_accuracy: float
    best_step: int
    steps: int
    seconds: float
    together: int
    inference: dict
    screened: dict | None
    device: str
    versions: dict
    commit: str
    finished: str

    @property
    def hits(self) -> np.ndarray:
        """[N] bool: which test objects it gets right."""
        return _digits(self.truth) == _digits(self.predicted)


def settings(config: Config) -> dict:
    """A configuration as it comes back from JSON."""
    return page.plain(to_dict(config))


def to_line(result: Result) -> str:
    """One line of JSON, without its end."""
    return json.dumps(page.plain(asdict(result)), allow_nan=False, ensure_ascii=False)


def from_line(line: str) -> Result:
    """The inverse of `to_line`.

    Raises:
        ValueError: not such a line, or one whose parts contradict each other; says which.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    names = [item.name for item in fields(Result)]
    if not isinstance(values, dict) or sorted(values) != sorted(names):
        raise ValueError(f"expected the fields {', '.join(names)}")
    result = Result(**values)
    try:
        _check(result)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"a field has another type than expected ({error!r})") from None
    return result


def _check(result: Result) -> None:
    config = from_dict(result.config)
    expected = grids.identity(config, result.data_hash)
    if result.id != expected:
        raise ValueError(f"id {result.id} does not belong to its config, data hash and seed, expected {expected}")
    if result.seed != config.training.seed:
        raise ValueError(f"seed {result.seed}, its config has {config.training.seed}")
    if not result.truth or len(result.truth) != len(result.predicted):
        raise ValueError(f"{len(result.truth)} true and {len(result.predicted)} predicted classes")
    counted = confusion_matrix(_digits(result.truth), _digits(result.predicted), len(config.classes)).tolist()
    if counted != result.confusion:
        raise ValueError(f"confusion matrix {result.confusion}, its predictions give {counted}")
    if abs(result.accuracy - result.hits.mean()) > 1e-9:
        raise ValueError(f"accuracy {result.accuracy}, its predictions give {result.hits.mean()}")


def as_digits(classes: np.ndarray) -> str:
    """[N] class indices, one digit each."""
    return "".join(map(str, classes.tolist()))


def _digits(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) - ord("0")


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
        wanted = grids.of(setup, self.data_hash)
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
