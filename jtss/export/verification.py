"""Whether an exported file gives jtss's probabilities: compared on many alerts before anybody uses it."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from jtss import schema
from jtss.errors import InputError
from jtss.export import golden, signature
from jtss.inference.model import Model
from jtss.inference.predict import BATCH_SIZE
from jtss.schema import Sequences

MOST_APART = 1e-5  # of probabilities; float32 in another order of additions stays below 1e-6

Run = Callable[[dict[str, np.ndarray]], np.ndarray]  # inputs by name, [B, …] → probabilities [B, L]


class Comparison(NamedTuple):
    """How far a file is from jtss on B objects: the largest difference of a probability, and the object that has it."""

    n_objects: int
    apart: float
    object_id: str


def of_onnx(content: bytes) -> Run:
    """An ONNX file in ONNX Runtime, on the CPU."""
    import onnxruntime  # on use: whoever exports without verifying does without

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def of_stablehlo(content: bytes) -> Run:
    """A file of StableHLO in JAX."""
    from jax import export

    function = export.deserialize(bytearray(content)).call
    return lambda inputs: np.asarray(function(*inputs.values()))


def compare(run: Run, model: Model, batches: Iterable[Sequences], layout: str) -> Comparison:
    """Let both answer the objects that have as many alerts as the model reads.

    Args:
        run: the file.
        model: exportable.
        batches: objects.
        layout: of the stamps that the file takes.
    """
    n_objects, apart, worst = 0, -1.0, ""
    for part in _parts(batches):
        index, inputs = signature.raw_inputs(part, model.config, layout)
        if not len(index):
            continue
        _, expected = signature.answers(model, part)
        differences = np.abs(np.asarray(run(inputs), np.float64) - expected).max(axis=1)
        differences = np.where(np.isfinite(differences), differences, np.inf)  # NaN is no answer
        n_objects += len(index)
        if differences.max() > apart:
            apart, worst = float(differences.max()), str(part.object_id[index[differences.argmax()]])
    return Comparison(n_objects, apart, worst)


def _parts(batches: Iterable[Sequences]) -> Iterator[Sequences]:
    for sequences in batches:
        for first in range(0, sequences.n_objects, BATCH_SIZE):
            yield schema.take(sequences, np.arange(first, min(first + BATCH_SIZE, sequences.n_objects)))


def require_same(comparison: Comparison, model: Model, where: str) -> None:
    """Raise InputError where nothing was compared, or the file is farther from jtss than `MOST_APART`.

    Args:
        where: the alerts are from.
    """
    if not comparison.n_objects:
        raise InputError(f"{where}: no object has the {model.config.n_detections} alerts that {model.label} reads")
    if comparison.apart > MOST_APART:
        raise InputError(
            f"{where}: probabilities of {comparison.object_id} differ by {comparison.apart:.2g} from those of"
            f" {model.label}, expected {MOST_APART:g} at most; no file was written"
        )


def require_golden(run: Run, text: str) -> None:
    """Raise InputError where a file does not reproduce its own golden vectors, see `golden.make`."""
    inputs, expected = golden.read(text)
    apart = float(np.abs(run(inputs) - expected).max())
    if not apart <= MOST_APART:
        raise InputError(f"golden vectors differ by {apart:.2g}, expected {MOST_APART:g} at most; no file was written")
