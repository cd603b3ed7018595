"""Whether an exported file gives what jtss answers: compared on many alerts before anybody uses it."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from jtss import schema
from jtss.errors import InputError
from jtss.export import golden, samples, signature
from jtss.inference.model import Model
from jtss.inference.predict import BATCH_SIZE
from jtss.schema import Sequences

MOST_APART = 1e-5  # of probabilities and scores; float32 in another order of additions stays below 2e-6
SEED = 1020  # of the brightness of stamps

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]  # inputs by name, [B, …] → outputs by name, [B, …]


class Comparison(NamedTuple):
    """How far a file is from jtss on B objects: the largest difference of an output, and the object that has it."""

    n_objects: int
    apart: float
    object_id: str


def of_onnx(content: bytes) -> Run:
    """An ONNX file in ONNX Runtime, on the CPU."""
    import onnxruntime  # on use: whoever exports without verifying does without

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def of_openvino(content: bytes, model: Model) -> Run:
    """An ONNX file of a model in OpenVINO, on the CPU, in float32."""
    import openvino  # on use: it is wanted of nobody

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [each.name for each in signature.outputs_of(model)]

    def run(inputs: Arrays) -> Arrays:
        given = compiled(inputs)
        return {name: given[name] for name in names}

    return run


def of_stablehlo(content: bytes, model: Model) -> Run:
    """A file of StableHLO in JAX; what its outputs are called follows from the model.

    Batches are cut and filled up to one size, since each other one would be compiled anew, which takes ten seconds.
    """
    from jax import export

    function, names = export.deserialize(bytearray(content)).call, [each.name for each in signature.outputs_of(model)]

    def run(inputs: Arrays) -> Arrays:
        n_objects, parts = len(next(iter(inputs.values()))), []
        for first in range(0, n_objects, BATCH_SIZE):
            part = [array[first : first + BATCH_SIZE] for array in inputs.values()]
            given = function(*(np.resize(array, (BATCH_SIZE, *array.shape[1:])) for array in part))
            parts.append(given if len(names) > 1 else [given])
        columns = (np.concatenate(column)[:n_objects] for column in zip(*parts, strict=True))
        return dict(zip(names, columns, strict=True))

    return run


def compare(
    run: Run,
    model: Model,
    batches: Iterable[Sequences],
    layout: str,
    tell: Callable[[int], object] = lambda n_objects: None,
) -> Comparison:
    """Let both answer the objects that have as many alerts as the model reads, or every packet, from raw stamps.

    Args:
        run: the file.
        model: exportable.
        batches: objects.
        layout: of the stamps that the file takes.
        tell: is told of each part of the objects how many it had, once it is done, for a progress bar.
    """
    n_objects, apart, worst = 0, -1.0, ""
    for part in _parts(batches, tell):
        scaled, pixels = samples.as_decoded(part, SEED)
        index, inputs = samples.raw_inputs(scaled, model.config, layout, pixels)
        if not len(index):
            continue
        _, expected = samples.answers(model, scaled)
        differences = _apart(run(inputs), expected)
        n_objects += len(index)
        if differences.max() > apart:
            apart, worst = float(differences.max()), str(part.object_id[index[differences.argmax()]])
    return Comparison(n_objects, apart, worst)


def _apart(found: Arrays, expected: Arrays) -> np.ndarray:
    """[B]: the largest difference of any output; infinite where one is no number, for that is no answer."""
    each = (np.abs(np.asarray(found[name], np.float64) - values) for name, values in expected.items())
    largest = np.max([difference.reshape(len(difference), -1).max(axis=1) for difference in each], axis=0)
    return np.where(np.isfinite(largest), largest, np.inf)


def _parts(batches: Iterable[Sequences], tell: Callable[[int], object]) -> Iterator[Sequences]:
    for sequences in batches:
        for first in range(0, sequences.n_objects, BATCH_SIZE):
            part = schema.take(sequences, np.arange(first, min(first + BATCH_SIZE, sequences.n_objects)))
            yield part
            tell(part.n_objects)


def require_same(comparison: Comparison, model: Model, where: str) -> None:
    """Raise InputError where nothing was compared, or the file is farther from jtss than `MOST_APART`.

    Args:
        where: the alerts are from.
    """
    if not comparison.n_objects:
        raise InputError(f"{where}: no object has the {model.config.n_detections} alerts that {model.label} reads")
    if comparison.apart > MOST_APART:
        raise InputError(
            f"{where}: answers to {comparison.object_id} differ by {comparison.apart:.2g} from those of"
            f" {model.label}, expected {MOST_APART:g} at most; no file was written"
        )


def require_golden(run: Run, text: str) -> None:
    """Raise InputError where a file does not reproduce its own golden vectors, see `golden.make`."""
    inputs, expected = golden.read(text)
    apart = float(_apart(run(inputs), expected).max())
    if apart > MOST_APART:
        raise InputError(f"golden vectors differ by {apart:.2g}, expected {MOST_APART:g} at most; no file was written")
