"""The temporal stamp classifier as pure functions, `init` and `outputs` or `apply`, which serve `causal` as well.

Flax modules hold the weights of one thing each (one stamp's encoder, one sequence's temporal model, one head); what
composes them is plain functions under `jax.vmap`: over rotated copies, detections and objects.

TSC §IV-C, Figure 5.
"""

from functools import partial

import jax
import jax.numpy as jnp

from jtss.config.settings import Config
from jtss.network import causal
from jtss.network.encoder import StampEncoder
from jtss.network.parts import Batch, Head, Output, Variables, encode, norm
from jtss.network.temporal import temporal_model


def init(config: Config, key: jax.Array) -> Variables:
    """Fresh variables of the whole model."""
    if config.packet.rows:
        return causal.init(config, key)
    encoder_key, temporal_key, head_key = jax.random.split(key, 3)
    n_dynamic, n_static = len(config.metadata.dynamic), len(config.metadata.static)
    params, batch_stats, width = {}, {}, n_dynamic
    if config.stamp.channels:
        stamp = jnp.zeros((config.stamp.crop, config.stamp.crop, len(config.stamp.channels)))
        params["encoder"] = StampEncoder(config.encoder).init(encoder_key, stamp)["params"]
        width += config.encoder.units[-1]
    temporal, sequence = temporal_model(config.temporal, width), jnp.zeros((config.n_detections, width))
    params["temporal"] = temporal.init(temporal_key, sequence).get("params", {})
    summary = jax.eval_shape(lambda p: temporal.apply({"params": p}, sequence), params["temporal"])
    head = Head(config.head, len(config.classes))
    params["head"] = head.init(head_key, jnp.zeros(summary.shape[0] + n_static), train=False)["params"]
    for name, size in (("dynamic_norm", n_dynamic), ("static_norm", n_static)):
        if size:
            variables = norm(train=False).init(key, jnp.zeros((1, size)))
            params[name], batch_stats[name] = variables["params"], variables["batch_stats"]
    return {"params": params, "batch_stats": batch_stats}


def apply(
    config: Config,
    variables: Variables,
    batch: Batch,
    *,
    train: bool,
    key: jax.Array | None = None,
    rotation_range_deg: jax.Array | None = None,
) -> tuple[jax.Array, dict]:
    """Logits of a batch and new batch statistics: of what `outputs` gives, all that training needs."""
    output, batch_stats = outputs(config, variables, batch, train=train, key=key, rotation_range_deg=rotation_range_deg)
    return output.logits, batch_stats


def outputs(
    config: Config,
    variables: Variables,
    batch: Batch,
    *,
    train: bool,
    key: jax.Array | None = None,
    rotation_range_deg: jax.Array | None = None,
) -> tuple[Output, dict]:
    """What the head puts out for a batch.

    Args:
        config: the configuration that `variables` were made for.
        variables: see `Variables`.
        batch: B objects.
        train: whether rotations and dropout are drawn, and batch statistics used and updated.
        key: PRNG key; needed where `train`.
        rotation_range_deg: scalar [deg]; as `encode` has it.

    Returns:
        Logits [B, L] with the hidden layer [B, U] before them, and the new batch statistics (the old ones where not
        `train`); of packets as `causal.outputs` has them.
    """
    if config.packet.rows:
        return causal.outputs(config, variables, batch, train=train, key=key, rotation_range_deg=rotation_range_deg)
    params, batch_stats = variables["params"], dict(variables["batch_stats"])
    encoder_key = head_keys = None
    if train:
        encoder_key, head_key = jax.random.split(key)
        head_keys = jax.random.split(head_key, len(batch.static))

    def with_metadata(x: jax.Array, name: str, metadata: jax.Array) -> jax.Array:
        if not metadata.shape[-1]:
            return x
        given = {"params": params[name], "batch_stats": batch_stats[name]}
        learns = train and getattr(config.training.rate_of, name) > 0
        normalised, updates = norm(learns).apply(given, metadata, mutable=["batch_stats"])
        batch_stats[name] = updates["batch_stats"]
        return jnp.concatenate([x, normalised], axis=-1)

    sequence = jnp.zeros((*batch.dynamic.shape[:2], 0))
    if config.stamp.channels:
        sequence = encode(config, params["encoder"], batch.stamps, encoder_key, rotation_range_deg)
    sequence = with_metadata(sequence, "dynamic_norm", batch.dynamic)
    temporal = temporal_model(config.temporal, sequence.shape[-1])
    summary = jax.vmap(partial(temporal.apply, {"params": params["temporal"]}))(sequence)
    summary = with_metadata(summary, "static_norm", batch.static)
    head = Head(config.head, len(config.classes))

    def classify(x: jax.Array, key: jax.Array | None) -> Output:
        return head.apply({"params": params["head"]}, x, train=train, rngs={"dropout": key} if train else None)

    return jax.vmap(classify)(summary, head_keys), batch_stats
