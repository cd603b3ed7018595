"""The temporal stamp classifier as a pair of pure functions, `init` and `apply`.

Flax modules hold the weights of one thing each (one stamp's encoder, one sequence's temporal model, one head); what
composes them is plain functions under `jax.vmap`: over objects, over detections, over rotated copies.

TSC §IV-C, Figure 5.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss import features
from jtss.configs import Config, HeadConfig
from jtss.encoder import StampEncoder, cyclic_pooling
from jtss.rotation import copy_angles, rotated_copies
from jtss.temporal import temporal_model

Variables = (
    dict  # {"params": {encoder, temporal, dynamic_norm, static_norm, head}, "batch_stats": {dynamic_norm, static_norm}}
)


class Batch(NamedTuple):
    """B objects ready for the model.

    Attributes:
        stamps: [B, N, S, S, C]; the source crop, scaled to [0, 1], NaN replaced by 0.
        dynamic: [B, N, 10]; time gap and dynamic metadata, standardised.
        static: [B, 17]; static metadata of the last detection and AllWISE colours, standardised.
    """

    stamps: jax.Array
    dynamic: jax.Array
    static: jax.Array


class Head(nn.Module):
    """[F] → [L] logits: dense, dropout, dense, dense; Glorot-uniform kernels. TSC Table 4."""

    config: HeadConfig
    n_classes: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        dense = partial(nn.Dense, kernel_init=nn.initializers.glorot_uniform())
        x = nn.relu(dense(self.config.units, name="dense_1")(x))
        x = nn.Dropout(self.config.dropout, deterministic=not train)(x)
        x = nn.relu(dense(self.config.units, name="dense_2")(x))
        return dense(self.n_classes, name="logits")(x)


def init(config: Config, key: jax.Array) -> Variables:
    """Fresh variables of the whole model."""
    encoder_key, temporal_key, head_key = jax.random.split(key, 3)
    side, channels, units = config.stamp.crop, len(config.stamp.channels), config.encoder.units
    n_dynamic, n_static = len(features.DYNAMIC), len(features.STATIC)
    width = units + n_dynamic
    temporal = temporal_model(config.temporal, width)
    params = {
        "encoder": StampEncoder(config.encoder).init(encoder_key, jnp.zeros((side, side, channels)))["params"],
        "temporal": temporal.init(temporal_key, jnp.zeros((config.n_detections, width)))["params"],
    }
    summary = jax.eval_shape(
        lambda p, x: temporal.apply({"params": p}, x), params["temporal"], jnp.zeros((config.n_detections, width))
    )
    head = Head(config.head, len(config.classes))
    params["head"] = head.init(head_key, jnp.zeros(summary.shape[0] + n_static), train=False)["params"]
    batch_stats = {}
    for name, size in (("dynamic_norm", n_dynamic), ("static_norm", n_static)):
        variables = _norm(train=False).init(key, jnp.zeros((1, size)))
        params[name], batch_stats[name] = variables["params"], variables["batch_stats"]
    return {"params": params, "batch_stats": batch_stats}


def apply(
    config: Config, variables: Variables, batch: Batch, *, train: bool, key: jax.Array | None = None
) -> tuple[jax.Array, dict]:
    """Logits of a batch.

    Args:
        config: the configuration that `variables` were made for.
        variables: see `Variables`.
        batch: B objects.
        train: whether rotations and dropout are drawn, and batch statistics used and updated.
        key: PRNG key; needed where `train`.

    Returns:
        [B, L] logits and the new batch statistics (the old ones where not `train`).
    """
    params, batch_stats = variables["params"], dict(variables["batch_stats"])
    n_objects = batch.static.shape[0]
    rotation_keys = dropout_keys = None
    if train:
        rotation_keys, dropout_keys = (jax.random.split(part, n_objects) for part in jax.random.split(key))

    def normalise(name: str, x: jax.Array) -> jax.Array:
        given = {"params": params[name], "batch_stats": batch_stats[name]}
        x, updates = _norm(train).apply(given, x, mutable=["batch_stats"])
        batch_stats[name] = updates["batch_stats"]
        return x

    encoded = jax.vmap(lambda stamps, k: encode(config, params["encoder"], stamps, k))(batch.stamps, rotation_keys)
    sequence = jnp.concatenate([encoded, normalise("dynamic_norm", batch.dynamic)], axis=-1)
    temporal = temporal_model(config.temporal, sequence.shape[-1])
    summary = jax.vmap(lambda x: temporal.apply({"params": params["temporal"]}, x))(sequence)
    summary = jnp.concatenate([summary, normalise("static_norm", batch.static)], axis=-1)
    head = Head(config.head, len(config.classes))

    def classify(x: jax.Array, k: jax.Array | None) -> jax.Array:
        return head.apply({"params": params["head"]}, x, train=train, rngs={"dropout": k} if train else None)

    return jax.vmap(classify)(summary, dropout_keys), batch_stats


def encode(config: Config, encoder_params: dict, stamps: jax.Array, key: jax.Array | None) -> jax.Array:
    """Encoded detections of one object, [N, S, S, C] → [N, units]; they share one draw of angles."""
    angles = copy_angles(key, config.stamp.copies, config.stamp.rotation_range_deg)
    encoder = StampEncoder(config.encoder)

    def encode_detection(stamp: jax.Array) -> jax.Array:
        copies = rotated_copies(stamp.astype(jnp.float32), angles, config.stamp.crop)
        return cyclic_pooling(jax.vmap(lambda x: encoder.apply({"params": encoder_params}, x))(copies))

    return jax.vmap(encode_detection)(stamps)


def _norm(train: bool) -> nn.BatchNorm:
    """Batch norm over all axes but the last, as the metadata have it before each concatenation. FIDELITY, Network."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.99, epsilon=1e-3)
