"""Whether the device does what it should: its tests, its rounding, and whether a training gone on with is the same."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import training as benchmark
from benchmarks.gpu.job import Job, Outcome
from jtss import dataset, devices
from jtss.config import settings
from jtss.config.settings import Config
from jtss.inference import predict
from jtss.inference.model import Member, Model
from jtss.inference.model import Outcome as Trained
from jtss.network import inputs, network
from jtss.pretrained import load
from jtss.reports import evaluation
from jtss.training import batches, loop, step
from jtss.training.batches import Labelled, Prepared, Resident
from jtss.training.step import TrainState

ROOT = Path(__file__).parents[2]


def machine(job: Job) -> Outcome:
    """The device's memory and what its driver says; hardware and versions stand beside every result."""
    values = {"memory that JAX takes [GiB]": devices.memory_bytes() / 2**30, "cores": len(os.sched_getaffinity(0))}
    values |= {"memory of the machine [GiB]": devices.host_memory_bytes() / 2**30}
    values |= {"multiplies bfloat16": devices.multiply_bfloat16(), "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")}
    values |= {"driver": _driver()}
    return Outcome(values)


def _driver() -> str:
    """Names, versions and clocks as NVIDIA's own program tells them; nothing where it is not there."""
    query = "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit"
    try:
        answer = subprocess.run(["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True)
    except OSError:
        return "unknown: nvidia-smi is not there"
    return answer.stdout.strip() or f"unknown: nvidia-smi ended with {answer.returncode}"


def tests(job: Job) -> Outcome:
    """The tests marked `gpu`, in a process that has the device to itself."""
    missing = [name for name in ("pytest", "hypothesis") if find_spec(name) is None]
    if missing:
        return Outcome({"not run": f"{', '.join(missing)} missing"}, finished=False)
    chosen = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py") if _wants_gpu(path)]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-rfEs", *map(str, chosen)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(run.stdout, run.stderr, sep="\n")
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|errors?|skipped)", _last(run.stdout))}
    failed = "\n".join(line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED")))
    return Outcome(counts | {"exit status": run.returncode} | ({"which": failed} if failed else {}))


def _wants_gpu(path: Path) -> bool:
    return "pytest.mark.gpu" in path.read_text()


def _last(text: str) -> str:
    """The last line with something in it."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


class Precision(NamedTuple):
    """How the encoder's products are rounded: by its type, and where that is float32, to TF32 or not at all."""

    dtype: str
    products: str | None


EXACT = "float32, products not rounded"
PRECISIONS = {
    EXACT: Precision("float32", "highest"),
    "float32 as it is": Precision("float32", None),
    "bfloat16": Precision("bfloat16", None),
}


def precision(job: Job) -> Outcome:
    """One batch of the first-alert recipe in each precision; a model that ships and a short training in both types."""
    config, few = job.sizes.first_alert, [*dataset.read(job.few)]
    prepared = batches.prepare(job.few, config, stream=False, say=print)
    values: dict[str, dict] = {name: {} for name in PRECISIONS}
    gradients, said = {}, {}
    for name, kind in PRECISIONS.items():
        with products(kind.products):
            loss, gradients[name] = one_batch(_in(kind, config), prepared)
        values[name] |= {"loss of one batch": loss, "gradient, distance": _distance(gradients[name], gradients[EXACT])}
        job.keep(values)
    for name in list(PRECISIONS)[1:]:
        label, said[name] = shipped(job.sizes.pretrained, PRECISIONS[name], few)
        values[name] |= _compared(job.sizes.pretrained, label, said[name], next(iter(said.values())))
        job.keep(values)
    for name in list(PRECISIONS)[1:]:
        values[name] |= short_training(_in(PRECISIONS[name], config), prepared, few, job.sizes.short_steps)
        job.keep(values)
    return Outcome(values)


def _in(kind: Precision, config: Config) -> Config:
    return settings.override(config, [f"precision={kind.dtype}"])


def _compared(name: str, label: np.ndarray, probabilities: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Accuracy, and how far the probabilities [A, L] are from others."""
    predicted, expected = probabilities.argmax(axis=1), reference.argmax(axis=1)
    return {
        f"{name}: accuracy [%]": 100 * float((predicted == label).mean()),
        f"{name}: same class as float32 [%]": 100 * float((predicted == expected).mean()),
        f"{name}: largest difference of a probability": float(np.abs(probabilities - reference).max()),
    }


@contextmanager
def products(rounding: str | None) -> Iterator[None]:
    """Round float32 products so in all threads; JAX's own context is of one, and the training loop has more."""
    jax.config.update("jax_default_matmul_precision", rounding)
    try:
        yield
    finally:
        jax.config.update("jax_default_matmul_precision", None)


def one_batch(config: Config, prepared: Prepared) -> tuple[float, np.ndarray]:
    """The loss of the first batch at the initial weights, and its gradient as one vector."""
    state = step.init_state(config)
    rows = step.draw(config, prepared.source.strata, np.array([config.training.seed], np.uint32), 0, 1)
    examples = jax.tree.map(lambda leaf: leaf[0, 0], prepared.source.take(rows))

    def loss_of(params: dict) -> jax.Array:
        variables, key = state.variables | {"params": params}, step.step_keys(state.seed, state.step)[1]
        logits, _ = network.apply(config, variables, examples.batch, train=True, key=key)
        return step.training_loss(config, logits, examples.label)

    loss, gradient = jax.jit(jax.value_and_grad(loss_of))(state.variables["params"])
    return float(loss), np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])


def _distance(vector: np.ndarray, reference: np.ndarray) -> float:
    """Length of the difference as a share of the reference's."""
    return float(np.linalg.norm(vector - reference) / np.linalg.norm(reference))


def short_training(config: Config, prepared: Prepared, few: list, n_steps: int) -> dict[str, float]:
    """What some steps come to, and how long one takes after the first turn, validations included."""
    every = min(n_steps // 2, loop.LONGEST_TURN)
    short = replace(config, training=replace(config.training, iterations=n_steps, validate_every=every))
    timed = list(timed_turns(short, step.join([step.init_state(short)]), prepared.source, prepared.chunks))
    (first, began, _), (last, ended, states) = timed[0], timed[-1]
    state = jax.device_get(step.part(states, 0))
    outcome = Trained(n_steps, n_steps, int(state.best.step), float(state.best.loss), float(state.best.accuracy))
    model = Model("short", short, prepared.statistics, (Member(0, state.variables, outcome),), {})
    tested = evaluation.evaluate(partial(predict.predict, model), few, short.classes, short.n_detections, "test")
    return {
        f"after {n_steps} steps: test accuracy [%]": 100 * float((tested.predicted == tested.label).mean()),
        f"after {n_steps} steps: validation loss [nat]": outcome.validation_loss,
        f"training step, a validation every {every} [ms]": 1e3 * (ended - began) / max(last - first, 1),
    }


def timed_turns(config: Config, states: TrainState, source, chunks) -> Iterator[tuple[int, float, TrainState]]:
    """Step, time and states after every turn; the states are of no use after the next."""
    for progress in loop.run(config, states, source, chunks):
        yield int(progress.figures.step[0]), time.perf_counter(), progress.states


def shipped(name: str, kind: Precision, few: list) -> tuple[np.ndarray, np.ndarray]:
    """Labels of all objects of the small sky, and what a pretrained model says of them, [A, L]."""
    model = load.load_model(name)
    model = replace(model, config=_in(kind, model.config))
    n, classes = model.config.n_detections, model.config.classes
    said = evaluation.evaluate(partial(predict.predict, model), few, classes, n, evaluation.ALL_SPLITS)
    return said.label, said.probabilities


def resume(job: Job) -> Outcome:
    """Train, train again from the state in the middle, and compare every bit; the process's flags say how XLA computes.

    Both are of one process, and so of one compilation.
    """
    config, n_turns = job.sizes.first_alert, 2 * job.sizes.turns
    turn_steps = benchmark.steps_at_once(config)
    train = benchmark.made(config, job.sizes.made_objects, 0)
    statistics = inputs.fit(train.dynamic, train.static, config.metadata)
    batches_of = partial(_batches, config, Resident(train, statistics, config), turn_steps)
    start = jax.tree.map(np.array, step.join([step.init_state(config)]))
    first, second = range(n_turns // 2), range(n_turns // 2, n_turns)
    middle = _advanced(config, start, map(batches_of, first))
    resumed = [_advanced(config, middle, map(batches_of, second)) for _ in range(2)]
    began = time.perf_counter()
    whole = _advanced(config, start, map(batches_of, range(n_turns)))
    seconds = time.perf_counter() - began
    return Outcome(
        {
            "steps": n_turns * turn_steps,
            "arrays": len(jax.tree.leaves(whole)),
            "arrays that differ, gone on with against whole": _differing(resumed[0], whole),
            "arrays that differ, gone on with twice": _differing(resumed[0], resumed[1]),
            "training step, gathering its batch included [ms]": 1e3 * seconds / (n_turns * turn_steps),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        }
    )


def _batches(config: Config, source: Resident, turn_steps: int, turn: int) -> Labelled:
    seeds = np.array([config.training.seed], np.uint32)
    return source.take(step.draw(config, source.strata, seeds, turn * turn_steps, turn_steps))


def _advanced(config: Config, states: TrainState, turns: Iterator[Labelled]) -> TrainState:
    """The states after some turns; given and returned in host memory, as a checkpoint is read."""
    states = jax.tree.map(partial(devices.place, sharding=devices.everywhere()), states)
    for examples in turns:
        states, _ = loop.advance(step.shared(config), states, examples)
    return jax.tree.map(np.array, states)


def _differing(one: TrainState, other: TrainState) -> int:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return sum(not np.array_equal(a, b, equal_nan=jnp.issubdtype(a.dtype, jnp.floating)) for a, b in pairs)
