"""One step of one training: state is arrays only, and every draw follows from (seed, θ, step)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jtss import devices
from jtss.config.settings import Config
from jtss.network import network, subclasses
from jtss.network.parts import NO_ROW, Batch, Variables
from jtss.schema import AVAILABILITY_NAMES, LIMIT
from jtss.training import hiding
from jtss.training.batches import Labelled, ValidationChunks
from jtss.training.strata import Strata

SUBCLASS_WEIGHT = 0.3  # of the subclasses' cross-entropy beside that of the classes, which matters more


class Best(NamedTuple):
    """The model with the lowest validation loss so far."""

    step: jax.Array
    loss: jax.Array
    accuracy: jax.Array
    variables: Variables


class TrainState(NamedTuple):
    """Everything that training carries from step to step, and in what it differs from others of the same program."""

    seed: jax.Array
    rotation_range_deg: jax.Array
    step: jax.Array
    variables: Variables
    opt_state: optax.OptState
    best: Best


def optimizer(config: Config) -> optax.GradientTransformation:
    """Adam with its default betas, TSC §IV-D; its learning rate is constant there, and may decay here."""
    training = config.training
    if training.decay == "cosine":
        return optax.adam(optax.cosine_decay_schedule(training.learning_rate, training.iterations))
    return optax.adam(training.learning_rate)


def learning(config: Config, params: dict) -> dict:
    """The parts of a network that are not frozen; the optimiser knows of no others."""
    return {name: part for name, part in params.items() if getattr(config.training.rate_of, name) > 0}


def at_own_rates(config: Config, updates: dict) -> dict:
    """The moves of each part, multiplied as `training.rate_of` says."""
    rates = {name: getattr(config.training.rate_of, name) for name in updates}
    return {
        name: part if rates[name] == 1 else jax.tree.map(lambda move, rate=rates[name]: rate * move, part)
        for name, part in updates.items()
    }


def keys(seed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The keys of the initial weights and of the steps."""
    init_key, step_key = jax.random.split(jax.random.key(seed))
    return init_key, step_key


def step_keys(seed: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The keys of one step: of its draw of objects, and of the model's rotations and dropout."""
    draw_key, model_key = jax.random.split(jax.random.fold_in(keys(seed)[1], step))
    return draw_key, model_key


def shared(config: Config) -> Config:
    """The same for all trainings that can be one program: their seeds and ranges of rotation are in their states.

    A range of 0 stays: angles that are not drawn are constants of the program.
    """
    drawn = float(config.stamp.rotation_range_deg > 0)  # [deg]
    stamp = replace(config.stamp, rotation_range_deg=drawn)
    return replace(config, stamp=stamp, training=replace(config.training, seed=0))


def init_state(config: Config) -> TrainState:
    """The state of one training before the first step, without the axis of trainings."""
    numbers = np.uint32(config.training.seed), np.float32(config.stamp.rotation_range_deg)
    return _init_state(shared(config), *numbers)


@partial(jax.jit, static_argnums=0)
def _init_state(config: Config, seed: jax.Array, range_deg: jax.Array) -> TrainState:
    variables = network.init(config, keys(seed)[0])
    nothing = Best(jnp.int32(0), jnp.float32(jnp.inf), jnp.float32(0), jax.tree.map(jnp.copy, variables))
    opt_state = optimizer(config).init(learning(config, variables["params"]))
    return TrainState(seed, range_deg, jnp.int32(0), variables, opt_state, nothing)


def join(states: Sequence[TrainState]) -> TrainState:
    """States of R trainings → one with a leading axis [R] on every leaf, on all devices."""
    stacked = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *states)
    return jax.tree.map(partial(devices.place, sharding=devices.everywhere()), stacked)


def part(states: TrainState, i: int) -> TrainState:
    """The state of the i-th training."""
    return jax.tree.map(lambda leaf: leaf[i], states)


@partial(jax.jit, static_argnums=(0, 4))
def draw(config: Config, strata: Strata, seeds: jax.Array, step: jax.Array, n_steps: int) -> jax.Array:
    """[R, n, B] rows of the batches of n steps, for training objects ordered by stratum.

    A stratum is drawn, then one of its objects; `natural`: objects of a single file are drawn uniformly.
    """
    single = len(strata.count) == len(config.classes)  # a file, where strata are classes
    start = jnp.cumsum(strata.count) - strata.count
    shape = (config.training.batch_size,)

    def one(seed: jax.Array, step: jax.Array) -> jax.Array:
        stratum_key, row_key = jax.random.split(step_keys(seed, step)[0])
        if config.training.class_balance == "natural" and single:
            return jax.random.randint(row_key, shape, 0, strata.count.sum())
        if (
            config.training.class_balance == "uniform" and single
        ):  # strata are classes; by their shares it would be other bits
            stratum = jax.random.randint(stratum_key, shape, 0, len(config.classes))
        else:
            stratum = jax.random.choice(stratum_key, len(strata.count), shape, p=strata.share)
        return start[stratum] + jax.random.randint(row_key, shape, 0, strata.count[stratum])

    return jax.vmap(lambda seed: jax.vmap(partial(one, seed))(step + jnp.arange(n_steps)))(seeds)


def loss_of_packets(config: Config, logits: jax.Array, examples: Labelled, kind: jax.Array) -> jax.Array:
    """The cross-entropy of the classes, and with a weight that of the subclasses that the model tells apart.

    Args:
        config: what the model is.
        logits: [B, R, L + S].
        examples: B packets.
        kind: [B, R], as `Rows` has it.
    """
    loss = loss_after_rows(subclasses.of_classes(config, logits), examples.label, kind)
    if not config.subclasses:
        return loss
    return loss + SUBCLASS_WEIGHT * subclass_loss(config, logits, examples.subclass, kind)


def loss_after_rows(logits: jax.Array, label: jax.Array, kind: jax.Array) -> jax.Array:
    """Mean cross-entropy of B packets, each `over_rows`.

    Args:
        logits: [B, R, L]. label: [B]. kind: [B, R].
    """
    each = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.broadcast_to(label[:, None], kind.shape))
    return jnp.mean(over_rows(each, kind))


def subclass_loss(config: Config, logits: jax.Array, subclass: jax.Array, kind: jax.Array) -> jax.Array:
    """Mean cross-entropy of the subclass given the true class, of the packets whose subclass is known; 0 without any.

    Args:
        config: what the model is, with one or more subclasses.
        logits: [B, R, L + S]. subclass: [B], -1 = unknown. kind: [B, R].
    """
    true = jnp.maximum(subclass, 0)[:, None, None]
    log_p = jnp.take_along_axis(subclasses.log_given_class(config, logits), true, axis=-1)[..., 0]
    known = subclass >= 0
    return jnp.sum(jnp.where(known, over_rows(-log_p, kind), 0)) / jnp.maximum(known.sum(), 1)


def over_rows(each: jax.Array, kind: jax.Array) -> jax.Array:
    """[B]: of what there is after each row [B, R], half of the last, and half of the mean of those before it.

    From the first detection on: before it there is nothing to classify.

    Args:
        each: [B, R].
        kind: [B, R], as `Rows` has it; a packet without earlier detections counts by its last row alone.
    """
    there = kind != NO_ROW
    detected = jnp.cumsum(there & (kind != LIMIT), axis=1) > 0
    before = (there & detected).at[:, -1].set(False)
    n_before = before.sum(axis=1)
    earlier = jnp.sum(each * before, axis=1) / jnp.maximum(n_before, 1)
    return jnp.where(n_before > 0, (each[:, -1] + earlier) / 2, each[:, -1])


def training_loss(config: Config, logits: jax.Array, label: jax.Array) -> jax.Array:
    """Cross-entropy, less the entropy of the answers where `entropy_weight` rewards it (Carrasco-Davis et al. 2021)."""
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()
    if not config.training.entropy_weight:
        return loss
    log_p = jax.nn.log_softmax(logits)
    return loss + config.training.entropy_weight * jnp.sum(jnp.exp(log_p) * log_p, axis=-1).mean()


def blurred(config: Config, key: jax.Array, batch: Batch) -> Batch:
    """A batch with normal noise of `training.metadata_noise` on all metadata but the bits of availability.

    A network that reads values exactly rests on relations between them that hold in its training set alone. The noise
    of a value is that of all detections of an object, so that what changes from one to the next is seen as it is.
    Missing values, which are the mean, get noise as well, but not in the rows of packets, whose limits lack nearly all;
    what `hiding.hide` hides does not, since it is hidden afterwards.
    """

    def noisy(key: jax.Array, values: jax.Array, names: tuple[str, ...]) -> jax.Array:
        scatter = [0.0 if name in AVAILABILITY_NAMES else config.training.metadata_noise for name in names]
        shape = (len(values), *[1] * (values.ndim - 2), values.shape[-1])  # of dynamic metadata one for all detections
        noise = jnp.array(scatter, values.dtype) * jax.random.normal(key, shape, values.dtype)
        return values + (jnp.where(values == 0, 0, noise) if config.packet.rows else noise)

    dynamic_key, static_key = jax.random.split(key)
    return batch._replace(
        dynamic=noisy(dynamic_key, batch.dynamic, config.metadata.dynamic),
        static=noisy(static_key, batch.static, config.metadata.static),
    )


def train_step(config: Config, state: TrainState, examples: Labelled) -> tuple[TrainState, jax.Array]:
    """One step of Adam on one batch [B, …]; returns the new state and the loss."""
    model_key, batch = step_keys(state.seed, state.step)[1], examples.batch
    if config.training.metadata_noise:
        noise_key, model_key = jax.random.split(model_key)
        batch = blurred(config, noise_key, batch)
    if config.hide.older:
        older_key, model_key = jax.random.split(model_key)
        batch = hiding.shortened(config, older_key, batch)
    if hiding.hides(config):
        hiding_key, model_key = jax.random.split(model_key)
        n_objects = len(batch.static)
        batch = hiding.hide(config, batch, hiding.draw(config, hiding_key, n_objects))
        if config.packet.rows:
            batch = batch._replace(stamps=batch.stamps[: hiding.n_with_stamps(config, n_objects)])

    params = state.variables["params"]
    learnt = learning(config, params)

    def loss_of(learnt: dict) -> tuple[jax.Array, dict]:
        variables = {"params": params | learnt, "batch_stats": state.variables["batch_stats"]}
        drawn = {"key": model_key, "rotation_range_deg": state.rotation_range_deg}
        logits, batch_stats = network.apply(config, variables, batch, train=True, **drawn)
        if config.packet.rows:
            return loss_of_packets(config, logits, examples, batch.rows.kind), batch_stats
        return training_loss(config, logits, examples.label), batch_stats

    (loss, batch_stats), gradients = jax.value_and_grad(loss_of, has_aux=True)(learnt)
    updates, opt_state = optimizer(config).update(gradients, state.opt_state, learnt)
    moved = optax.apply_updates(learnt, at_own_rates(config, updates))
    variables = {"params": params | moved, "batch_stats": batch_stats}
    return state._replace(step=state.step + 1, variables=variables, opt_state=opt_state), loss


def validation_sums(config: Config, variables: Variables, chunk: ValidationChunks) -> jax.Array:
    """[3]: summed cross-entropy, correct predictions and objects of one chunk, [B, …].

    Where training hides groups of metadata, so does the cross-entropy (`hiding.versions`); predictions are of the
    objects as they are. Subclasses do not count.
    """
    batch, label = chunk.examples.batch, chunk.examples.label

    def classify(batch: Batch) -> jax.Array:
        logits = network.apply(config, variables, batch, train=False)[0]
        return subclasses.of_classes(config, logits[:, -1]) if config.packet.rows else logits

    if hiding.hides(config):
        versions, weights = hiding.versions(config)
        every = jax.vmap(lambda hidden: classify(hiding.hide(config, batch, hidden)))(versions)  # stamps encoded once
        losses = weights @ optax.softmax_cross_entropy_with_integer_labels(every, label[None])
        logits = every[0]
    else:
        logits = classify(batch)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    correct = jnp.argmax(logits, axis=-1) == label
    return jnp.stack([jnp.sum(chunk.weight * values) for values in (losses, correct, jnp.ones_like(losses))])


def keep_best(state: TrainState, sums: jax.Array) -> TrainState:
    """Replace the best model where the validation loss is lower; a non-finite loss never is."""
    loss, accuracy = sums[0] / sums[2], sums[1] / sums[2]
    candidate = Best(state.step, loss, accuracy, state.variables)
    best = jax.tree.map(lambda new, old: jnp.where(loss < state.best.loss, new, old), candidate, state.best)
    return state._replace(best=best)


def last_step(config: Config, best_step: jax.Array) -> jax.Array:
    """Where training stops: after the planned iterations, or later where a late improvement grants more. TSC §IV-D."""
    training, xp = config.training, jnp if isinstance(best_step, jax.Array) else np
    granted = xp.where(best_step > training.patience_after, best_step + training.patience, 0)
    return xp.maximum(training.iterations, granted)


def finished(config: Config, state: TrainState) -> bool:
    """Whether a state, of one seed or of several, needs no further step."""
    return bool(np.all(np.asarray(state.step) >= last_step(config, np.asarray(state.best.step))))
