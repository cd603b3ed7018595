"""The training loop: what is one program, what waits for what. A resumed run is the same run: on CPUs to the last bit.

Several trainings run as one program, with their own seeds and ranges of rotation: every leaf of a state has a leading
axis [R], one row for each training.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jtss import devices
from jtss.backend import GRADIENT_OPTIONS
from jtss.config.settings import Config
from jtss.training.batches import Labelled, Source, ValidationChunks
from jtss.training.step import (
    TrainState,
    draw,
    finished,
    keep_best,
    last_step,
    shared,
    train_step,
    validation_sums,
)

LONGEST_WAIT_SECONDS = 3.0  # for a step under way, once a stop is asked for
LONGEST_TURN = 50  # steps; their batches are in memory at once, and a stop waits for them


class Figures(NamedTuple):
    """What one turn of the loop came to, [R] each; the validation is None where none was due."""

    step: np.ndarray
    loss: np.ndarray  # mean over the turn
    validation_loss: np.ndarray | None
    validation_accuracy: np.ndarray | None
    best_step: np.ndarray
    best_accuracy: np.ndarray


class Progress(NamedTuple):
    """The states after a turn of the loop, and its figures."""

    states: TrainState
    figures: Figures


def _for_each_training(function: Callable, *arguments):
    """`function` of the rows of [R, …] arguments; a single one is computed without the extra axis."""
    if jax.tree.leaves(arguments)[0].shape[0] > 1:
        return jax.vmap(function)(*arguments)
    result = function(*_row(arguments, 0))
    return jax.tree.map(lambda leaf: leaf[None], result)


def _row(tree, i: int):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def _steps(config: Config, state: TrainState, examples: Labelled) -> tuple[TrainState, jax.Array]:
    """One step for each of [n, B, …]; a training that is finished stays as it is. Returns the mean loss, too."""
    new, losses = jax.lax.scan(partial(train_step, config), state, examples)
    going = state.step < last_step(config, state.best.step)
    return jax.tree.map(lambda after, before: jnp.where(going, after, before), new, state), losses.mean()


@partial(jax.jit, static_argnums=0, compiler_options=GRADIENT_OPTIONS)
def advance(config: Config, states: TrainState, examples: Labelled) -> tuple[TrainState, jax.Array]:
    """One step for each of [R, n, B, …]; returns the new states and the mean losses [R]."""
    result = _for_each_training(partial(_steps, config), states, examples)
    return jax.lax.with_sharding_constraint(result, devices.everywhere())


@partial(jax.jit, static_argnums=0)
def validate(config: Config, states: TrainState, chunk: ValidationChunks) -> jax.Array:
    """[R, 3] sums over one chunk."""
    sums = _for_each_training(lambda variables: validation_sums(config, variables, chunk), states.variables)
    return jax.lax.with_sharding_constraint(sums, devices.everywhere())


@jax.jit
def conclude(states: TrainState, sums: jax.Array) -> TrainState:
    """`keep_best` for each training."""
    return jax.vmap(keep_best)(states, sums)


@partial(jax.jit, static_argnums=0, donate_argnums=1, compiler_options=GRADIENT_OPTIONS)
def turn(
    config: Config, states: TrainState, examples: Labelled, chunks: ValidationChunks
) -> tuple[TrainState, jax.Array, jax.Array]:
    """Steps, validation and the choice of the best in one program; returns states, losses [R] and sums [R, 3]."""

    def one(state: TrainState, examples: Labelled) -> tuple[TrainState, jax.Array, jax.Array]:
        state, loss = _steps(config, state, examples)
        sums = jax.lax.map(partial(validation_sums, config, state.variables), chunks).sum(axis=0)
        return keep_best(state, sums), loss, sums

    return jax.lax.with_sharding_constraint(_for_each_training(one, states, examples), devices.everywhere())


def in_one_dispatch(config: Config) -> bool:
    """Whether all steps between two validations are one program.

    Not on a CPU with images: a step may take minutes there, and a stop must not wait for several.
    """
    return jax.default_backend() != "cpu" or not config.stamp.channels


def run(
    config: Config,
    states: TrainState,
    source: Source,
    chunks: ValidationChunks,
    stop_asked: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Train from `states` to the end, yielding after every turn of the loop.

    A turn takes all steps up to the next validation, at most `LONGEST_TURN`, or one where `in_one_dispatch` does not
    hold. The states given and yielded must not be used after the next turn: their memory may be used again.

    Args:
        config: what is trained; seed and range of rotation are taken from the states.
        states: of R trainings of the same `training.shared`; those not finished are at the same step.
        source: the training set.
        chunks: the validation set.
        stop_asked: asked while a turn is under way. Where it holds and the turn takes long, the generator ends without
            it: a step on a CPU may take minutes, and so may the compilation in the first turn.

    Raises:
        FloatingPointError: after the turn with a loss that is no number was yielded; names seed and step.
    """
    config, seeds = shared(config), np.array(states.seed)  # a copy: `turn` takes the memory
    whole, step, wait = in_one_dispatch(config), _first_step(config, states), LONGEST_WAIT_SECONDS
    with _Worker() as ahead, _Worker() as worker:
        batches = partial(_batches, ahead, config, whole, source, seeds)
        coming = batches(step)
        while not finished(config, states):
            examples = coming.result()
            step += examples.label.shape[1]
            coming = batches(step)  # while the device is busy with these
            under_way = worker.submit(partial(_turn, config, whole, states, examples, chunks, step))
            del examples
            if (progress := _result(under_way, stop_asked, wait)) is None:
                return
            states = progress.states
            wait = math.inf if whole else wait  # a whole turn gives the memory of its states away
            yield progress
            _require_finite(progress.figures, seeds)


def _first_step(config: Config, states: TrainState) -> int:
    """Where the seeds that are not finished are; 0 where all are."""
    at = np.array(states.step)
    going = at < last_step(config, np.array(states.best.step))
    return int(at[going].max(initial=0))


def _batches(ahead: "_Worker", config: Config, whole: bool, source: Source, seeds: np.ndarray, step: int) -> Future:
    """The batches of the turn that begins at `step`, drawn by `ahead`."""
    every = config.training.validate_every
    n_steps = min(every - step % every, LONGEST_TURN) if whole else 1
    return ahead.submit(lambda: source.take(draw(config, source.strata, seeds, step, n_steps)))


def _turn(config, whole, states, examples, chunks, step) -> Progress:
    sums, due = None, step % config.training.validate_every == 0
    if whole and due:
        states, loss, sums = turn(config, states, examples, chunks)
    else:
        states, loss = advance(config, states, examples)
        if due:
            sums = sum(validate(config, states, _row(chunks, i)) for i in range(len(chunks.weight)))
            states = conclude(states, sums)
    values = jax.device_get((states.step, loss, sums, states.best.step, states.best.accuracy))
    at, loss, sums, best_step, best_accuracy = values
    validation = (None, None) if sums is None else (sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2])
    return Progress(states, Figures(at, loss, *validation, best_step, best_accuracy))


def _require_finite(figures: Figures, seeds: np.ndarray) -> None:
    for seed, step, loss in zip(seeds, figures.step, figures.loss, strict=True):
        if not np.isfinite(loss):
            raise FloatingPointError(f"training loss is {loss} at step {step} (seed {seed})")


class _Worker(ThreadPoolExecutor):
    """One thread; work not begun is dropped at the end, and work under way is not waited for."""

    def __init__(self):
        super().__init__(max_workers=1)

    def __exit__(self, *_) -> None:
        self.shutdown(wait=False, cancel_futures=True)


def _result(under_way: Future, stop_asked: Callable[[], bool], longest_wait: float) -> Progress | None:
    """What a turn came to; None where a stop is asked for and it does not come soon.

    The main thread waits in short naps, because Python handles signals between them only.
    """
    asked_at = None
    while True:
        try:
            return under_way.result(timeout=0.2)
        except TimeoutError:
            if under_way.done():  # just now, or the error is the turn's own
                return under_way.result()
            if stop_asked():
                asked_at = asked_at or time.monotonic()
                if time.monotonic() - asked_at > longest_wait:
                    return None
