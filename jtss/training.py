"""The training engine: state is arrays only, every draw follows from (seed, step), a resumed run is the same run."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jtss import model
from jtss.configs import Config
from jtss.data import Examples, standardised
from jtss.features import Statistics
from jtss.model import Batch, Variables


class Best(NamedTuple):
    """The model with the lowest validation loss so far."""

    step: jax.Array
    loss: jax.Array
    accuracy: jax.Array
    variables: Variables


class TrainState(NamedTuple):
    """Everything that training carries from step to step."""

    step: jax.Array
    variables: Variables
    opt_state: optax.OptState
    best: Best


class TrainingSet(NamedTuple):
    """Training examples on the device, ordered by class.

    Attributes:
        batch: B objects.
        label: [B] int32.
        class_start, class_count: [L] int32; where each class begins, and how many objects it has.
    """

    batch: Batch
    label: jax.Array
    class_start: jax.Array
    class_count: jax.Array


class ValidationChunk(NamedTuple):
    """Part of the validation set; `weight` is 0 for the rows that fill up the last chunk."""

    batch: Batch
    label: jax.Array
    weight: jax.Array


class Progress(NamedTuple):
    """What one turn of the loop did: mean training loss since the last turn; validation where it was due, else None."""

    state: TrainState
    step: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None


def optimizer(config: Config) -> optax.GradientTransformation:
    """Adam with its default betas. TSC §IV-D."""
    return optax.adam(config.training.learning_rate)


def keys(config: Config) -> tuple[jax.Array, jax.Array]:
    """The keys of the initial weights and of the steps, both from the seed."""
    init_key, step_key = jax.random.split(jax.random.key(config.training.seed))
    return init_key, step_key


@partial(jax.jit, static_argnums=0)
def init_state(config: Config) -> TrainState:
    """The state before the first step."""
    variables = model.init(config, keys(config)[0])
    nothing = Best(jnp.int32(0), jnp.float32(jnp.inf), jnp.float32(0), jax.tree.map(jnp.copy, variables))
    return TrainState(jnp.int32(0), variables, optimizer(config).init(variables["params"]), nothing)


def training_set(train: Examples, statistics: Statistics, n_classes: int) -> TrainingSet:
    """Training examples, ordered by class and put on the device."""
    ordered = train.take(np.argsort(train.label, kind="stable"))
    count = np.bincount(ordered.label, minlength=n_classes).astype(np.int32)
    start = (np.cumsum(count) - count).astype(np.int32)
    return jax.device_put(TrainingSet(standardised(ordered, statistics), ordered.label, start, count))


def validation_chunks(validation: Examples, statistics: Statistics, size: int) -> list[ValidationChunk]:
    """The validation split in chunks of equal size."""
    n_chunks = -(-len(validation.label) // size)
    rows = np.arange(n_chunks * size)
    weight = (rows < len(validation.label)).astype(np.float32)
    filled = validation.take(np.where(weight > 0, rows, 0))
    batch = standardised(filled, statistics)
    chunks = [slice(i * size, (i + 1) * size) for i in range(n_chunks)]
    return [
        jax.device_put(ValidationChunk(Batch(*(part[chunk] for part in batch)), filled.label[chunk], weight[chunk]))
        for chunk in chunks
    ]


def draw(config: Config, data: TrainingSet, key: jax.Array) -> jax.Array:
    """[B] rows of one batch: a class drawn uniformly, then one of its objects; `natural`: objects drawn uniformly."""
    shape = (config.training.batch_size,)
    class_key, row_key = jax.random.split(key)
    if config.training.class_balance == "natural":
        return jax.random.randint(row_key, shape, 0, len(data.label))
    label = jax.random.randint(class_key, shape, 0, len(config.classes))
    return data.class_start[label] + jax.random.randint(row_key, shape, 0, data.class_count[label])


def train_step(config: Config, state: TrainState, data: TrainingSet) -> tuple[TrainState, jax.Array]:
    """One step of Adam on one batch; returns the new state and the loss."""
    draw_key, model_key = jax.random.split(jax.random.fold_in(keys(config)[1], state.step))
    rows = draw(config, data, draw_key)
    batch = Batch(*(part[rows] for part in data.batch))

    def loss_of(params: dict) -> tuple[jax.Array, dict]:
        variables = {"params": params, "batch_stats": state.variables["batch_stats"]}
        logits, batch_stats = model.apply(config, variables, batch, train=True, key=model_key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, data.label[rows]).mean(), batch_stats

    params = state.variables["params"]
    (loss, batch_stats), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
    updates, opt_state = optimizer(config).update(gradients, state.opt_state, params)
    variables = {"params": optax.apply_updates(params, updates), "batch_stats": batch_stats}
    return TrainState(state.step + 1, variables, opt_state, state.best), loss


@partial(jax.jit, static_argnums=(0, 3), donate_argnums=1)
def advance(config: Config, state: TrainState, data: TrainingSet, n_steps: int) -> tuple[TrainState, jax.Array]:
    """`n_steps` steps in one program; returns the new state and their mean loss."""
    if n_steps == 1:  # without a loop: see `run`
        return train_step(config, state, data)
    state, losses = jax.lax.scan(lambda carry, _: train_step(config, carry, data), state, None, length=n_steps)
    return state, losses.mean()


@partial(jax.jit, static_argnums=0)
def validation_sums(config: Config, variables: Variables, chunk: ValidationChunk) -> jax.Array:
    """[3]: summed cross-entropy, correct predictions and objects of one chunk."""
    logits, _ = model.apply(config, variables, chunk.batch, train=False)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, chunk.label)
    correct = jnp.argmax(logits, axis=-1) == chunk.label
    return jnp.stack([jnp.sum(chunk.weight * part) for part in (losses, correct, jnp.ones_like(losses))])


@partial(jax.jit, donate_argnums=0)
def keep_best(state: TrainState, sums: jax.Array) -> TrainState:
    """Replace the best model where the validation loss is lower; a non-finite loss never is."""
    loss, accuracy = sums[0] / sums[2], sums[1] / sums[2]
    candidate = Best(state.step, loss, accuracy, state.variables)
    best = jax.tree.map(lambda new, old: jnp.where(loss < state.best.loss, new, old), candidate, state.best)
    return state._replace(best=best)


def last_step(config: Config, best_step: int) -> int:
    """Where training stops: after the planned iterations, or later where a late improvement grants more. TSC §IV-D."""
    training = config.training
    granted = best_step + training.patience if best_step > training.patience_after else 0
    return max(training.iterations, granted)


def run(
    config: Config, train: Examples, validation: Examples, statistics: Statistics, state: TrainState
) -> Iterator[Progress]:
    """Train from `state` to the end, yielding after every turn of the loop.

    A turn takes as many steps as one dispatch should: all that lie between two validations, or one on a CPU, where XLA
    runs convolutions inside a loop with slow kernels (90 times slower than outside, measured). The yielded state may be
    saved; the next turn overwrites its memory.

    Raises:
        FloatingPointError: the loss of the turn yielded last is not finite; its state still holds the best model.
    """
    every = config.training.validate_every
    stride = 1 if jax.default_backend() == "cpu" else every
    data = training_set(train, statistics, len(config.classes))
    chunks = validation_chunks(validation, statistics, config.training.batch_size)
    step = int(state.step)
    while (left := last_step(config, int(state.best.step)) - step) > 0:
        n_steps = min(stride, every - step % every, left)
        state, loss = advance(config, state, data, n_steps)
        step += n_steps
        validation_loss = validation_accuracy = None
        if step % every == 0:
            sums = sum(validation_sums(config, state.variables, chunk) for chunk in chunks)
            state = keep_best(state, sums)
            validation_loss, validation_accuracy = float(sums[0] / sums[2]), float(sums[1] / sums[2])
        yield Progress(state, step, float(loss), validation_loss, validation_accuracy)
        if not np.isfinite(float(loss)):
            raise FloatingPointError(f"training loss is {float(loss)} at step {step}")
