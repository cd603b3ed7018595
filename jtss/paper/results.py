"""What a training came to, as test.json in its run directory says, and what the seeds of a configuration come to.

Of several seeds: their mean, the spread over seeds, and how far the test objects carry it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files
from jtss.metrics import comparisons
from jtss.metrics.classification import confusion_matrix
from jtss.metrics.intervals import CONFIDENCE, N_RESAMPLES, Interval, deviation
from jtss.paper import grids
from jtss.paper.grids import Setup, Trial
from jtss.reports import page
from jtss.runs import directory

TEST = "test.json"
SUM = "sha256"  # of the rest of the file, in the form of `_sum`


@dataclass(frozen=True)
class Result:
    """What came of one training.

    Attributes:
        id: of the training; see `grids.identity`.
        seed: of the training.
        data, data_hash: the data file, and the hash of its content.
        truth, predicted: class of each test object, one digit each, in the order of the file.
        accuracy: of the test split.
        validation_accuracy, best_step: of the weights kept.
        steps: trained in all.
        inference: as `evaluation.inference_time` says.
        screened: by class, objects that were screened for bogus and how many were called bogus; None where the network
            does not read first detections or does not know bogus.
        device, commit: that it was made with; several where it was begun with others.
        versions, finished: of Python and packages, and when it was tested.
    """

    id: str
    seed: int
    data: str
    data_hash: str
    truth: str
    predicted: str
    accuracy: float
    validation_accuracy: float
    best_step: int
    steps: int
    inference: dict
    screened: dict | None
    device: str
    commit: str
    versions: dict
    finished: str

    @property
    def hits(self) -> np.ndarray:
        """[N] bool: which test objects it gets right."""
        return _digits(self.truth) == _digits(self.predicted)


def write(run: Path, result: Result) -> None:
    """Write test.json into a run directory, whole or not at all.

    Raises:
        OSError: it cannot be written, mostly because the disk is full; names the file.
    """
    values = page.plain(asdict(result))
    text = json.dumps(values | {SUM: _sum(values)}, allow_nan=False, ensure_ascii=False, indent=2)
    files.write(run / TEST, text + "\n")


def read(run: Path, trial: Trial) -> Result | None:
    """The result of a training; None where it is not tested yet.

    Raises:
        ValueError: test.json is damaged, or that of another training; says what is wrong.
        OSError: it cannot be read.
    """
    try:
        values = json.loads((run / TEST).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    names = {item.name for item in fields(Result)}
    if not isinstance(values, dict) or values.keys() != {*names, SUM}:
        raise ValueError(f"expected the fields {', '.join(sorted(names))}, {SUM}")
    if values.pop(SUM) != _sum(values):
        raise ValueError(f"its {SUM} does not fit what it says")
    if values["id"] != trial.id:
        raise ValueError(f"it is of training {values['id']}")
    return Result(**values)


def _sum(values: dict) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Results:
    """The results on one data set, of the run directories FOLDER/ID, each read once.

    Attributes:
        folder: of the run directories.
        data_hash: of the content of the data set.
        known: the results read so far, by id.
    """

    def __init__(self, folder: Path, data_hash: str, warn: Callable[[str], None]):
        self.folder, self.data_hash, self.known = folder, data_hash, {}
        self._warn, self._damaged = warn, set()

    @property
    def measured(self) -> "Measured":
        """What is known, by configuration."""
        return Measured(self.known, self.data_hash)

    def run(self, trial: Trial) -> Path:
        """Its run directory, whether or not there is one."""
        return self.folder / trial.id

    def steps(self, trial: Trial) -> list[int]:
        """The steps that are saved of a training; 0 alone where it is not begun."""
        return directory.saved_steps(self.run(trial)) or [0]

    def look(self, setups: Iterable[Setup]) -> None:
        """Look for results of these configurations that are not known yet."""
        self.read(trial for setup in setups for trial in grids.trials(setup, self.data_hash))

    def missing(self, setups: Iterable[Setup]) -> list[Trial]:
        """The trainings of which no result is known, in the order of the plan."""
        return [one for setup in setups for one in grids.trials(setup, self.data_hash) if one.id not in self.known]

    def read(self, trials: Iterable[Trial]) -> None:
        """Look for results that are not known yet; one that is damaged is named, once, and as if it were not there."""
        for trial in trials:
            if trial.id in self.known:
                continue
            try:
                result = read(self.run(trial), trial)
            except ValueError as error:
                if trial.id not in self._damaged:
                    self._warn(f"{self.run(trial) / TEST}: damaged ({error}); the training is tested again")
                self._damaged.add(trial.id)
                continue
            if result is not None:
                self.known[trial.id] = result


def as_digits(classes: np.ndarray) -> str:
    """[N] class indices, one digit each."""
    return "".join(map(str, classes.tolist()))


def _digits(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) - ord("0")


class Spread(NamedTuple):
    """An accuracy over seeds.

    Attributes:
        mean: 0 to 1.
        sd: sample standard deviation over seeds (ddof = 1); NaN for one seed.
        seeds, wanted: how many seeds are there, and that were asked for.
        interval: 95 %, over test objects.
    """

    mean: float
    sd: float
    seeds: int
    wanted: int
    interval: Interval


class Measured:
    """The results of one data set, by configuration."""

    def __init__(self, results: Mapping[str, Result], data_hash: str):
        self._results, self.data_hash = results, data_hash

    def of(self, setup: Setup) -> list[Result]:
        """Of the seeds that are there, in their order."""
        wanted = grids.trials(setup, self.data_hash)
        return [self._results[trial.id] for trial in wanted if trial.id in self._results]

    def is_complete(self, setup: Setup) -> bool:
        return len(self.of(setup)) == setup.seeds

    def accuracy(self, setup: Setup) -> Spread | None:
        """Test accuracy; None where nothing is measured."""
        results = self.of(setup)
        if not results:
            return None
        values = _accuracies(results)
        sd = float(deviation(values))
        return Spread(float(values.mean()), sd, len(values), setup.seeds, over_objects(_rates(results)))

    def validation_accuracy(self, setup: Setup) -> float:
        """Mean over seeds, by which configurations are chosen; -1 where nothing is measured."""
        results = self.of(setup)
        return float(np.mean([result.validation_accuracy for result in results])) if results else -1.0

    def confusion(self, setup: Setup) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and standard deviation over seeds of the test counts, [L, L] float64 each; that of one is NaN."""
        n, results = len(setup.config.classes), self.of(setup)
        if not results:
            return None
        matrices = [confusion_matrix(_digits(each.truth), _digits(each.predicted), n) for each in results]
        counts = np.array(matrices, float)
        return counts.mean(axis=0), deviation(counts)

    def milliseconds(self, setup: Setup) -> float | None:
        """Inference time per object [ms]: the median over seeds."""
        seconds = [result.inference["median_s_per_object"] for result in self.of(setup)]
        return 1000 * float(np.median(seconds)) if seconds else None

    def p_value(self, setup: Setup, reference: Setup) -> float | None:
        """Permutation test of the accuracies of all seeds; None where either has fewer than two."""
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


def _accuracies(results: Sequence[Result]) -> np.ndarray:
    return np.array([result.accuracy for result in results])


def _rates(results: Sequence[Result]) -> np.ndarray:
    """[N] float64: share of the seeds that are right about each object."""
    return np.mean([result.hits for result in results], axis=0)
