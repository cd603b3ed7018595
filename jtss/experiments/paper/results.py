"""What came of one cell, as a line of the store."""

import json
from dataclasses import asdict, dataclass, fields

import numpy as np

from jtss import overrides
from jtss.configs import Config
from jtss.experiments.paper import cells
from jtss.reports import documents
from jtss.reports.metrics import confusion_matrix


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
    return documents.plain(overrides.to_dict(config))


def to_line(result: Result) -> str:
    """One line of JSON, without its end."""
    return json.dumps(documents.plain(asdict(result)), allow_nan=False, ensure_ascii=False)


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
    config = overrides.from_dict(result.config)
    expected = cells.identity(config, result.data_hash)
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
