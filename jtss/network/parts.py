"""What networks are made of, whatever they read: a batch, the encoding of its stamps, the head that ends in classes."""

import math
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jtss import devices
from jtss.config.settings import Config, HeadConfig
from jtss.network.encoder import StampEncoder, cyclic_pooling
from jtss.network.rotation import copy_angles, rotated_copies

# {"params": {encoder, temporal, dynamic_norm, static_norm, head}, "batch_stats": {dynamic_norm, static_norm}}; what a
# configuration does without is absent
Variables = dict


NO_ROW = -1  # as the kind of what fills up a packet


class Rows(NamedTuple):
    """The rows of B packets in time order, as many for each: shorter ones begin with rows that are none.

    Attributes:
        kind: [B, R] int8; index into `schema.KIND_NAMES`, -1 = no row.
        fid: [B, R] int8; 1 = g, 2 = r, 3 = i, 0 = not given.
        days: [B, R] float32; since the last row of the packet, negative.
        change: [B, R] float32; by how much a detection is brighter than the reference image shows [mag], NaN where that
            is not known, and of limits.
        stamp_at: [B, P] int32; the row of each stamp, -1 = no stamp.
    """

    kind: jax.Array
    fid: jax.Array
    days: jax.Array
    change: jax.Array
    stamp_at: jax.Array


class Batch(NamedTuple):
    """B objects ready for the model; of a model of packets, B packets.

    Attributes:
        stamps: [B, N, S, S, C]; the source crop, scaled to [0, 1], NaN replaced by 0; C = 0 for a model without images.
            Of packets [B, P, S, S, C].
        dynamic: [B, N, D]; dynamic metadata of every detection, standardised. Of packets [B, R, D], of every row.
        static: [B, F]; static metadata of the last detection and AllWISE colours, standardised. Of packets, what is of
            the whole object.
        rows: of packets what their rows are; None for a model of sequences.
    """

    stamps: jax.Array
    dynamic: jax.Array
    static: jax.Array
    rows: Rows | None = None


def take(batch: Batch, which: np.ndarray | slice) -> Batch:
    """Some objects of a batch."""
    return jax.tree.map(lambda values: values[which], batch)


class Output(NamedTuple):
    """What a head puts out.

    Attributes:
        logits: […, L]; of packets L + S, the subclasses after the classes.
        hidden: […, U]; what the logits are a linear function of: the activations of the last hidden layer.
    """

    logits: jax.Array
    hidden: jax.Array


class Head(nn.Module):
    """[…, F] → logits […, L]: dense layers, each with its dropout, then the classes; Glorot-uniform kernels.

    TSC Table 4.
    """

    config: HeadConfig
    n_classes: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> Output:
        dense = partial(nn.Dense, kernel_init=nn.initializers.glorot_uniform())
        for layer, (units, rate) in enumerate(zip(self.config.units, self.config.dropout, strict=True), start=1):
            x = nn.relu(dense(units, name=f"dense_{layer}")(x))
            x = nn.Dropout(rate, deterministic=not train)(x)
        return Output(dense(self.n_classes, name="logits")(x), x)


def encode(
    config: Config,
    encoder_params: dict,
    stamps: jax.Array,
    key: jax.Array | None,
    rotation_range_deg: jax.Array | None = None,
) -> jax.Array:
    """Encoded detections of B objects, [B, N, S, S, C] → [B, N, units].

    The detections of an object share one draw of angles, so that they keep their orientation to each other; dropout is
    drawn for each copy, by a key of its own. Without a key nothing is drawn, and where the configuration's range is 0
    no angles are, so that they are constants of the program.

    Args:
        config: the configuration that `encoder_params` were made for.
        encoder_params: of the stamp encoder.
        stamps: as in `Batch`.
        key: PRNG key; None for evaluation.
        rotation_range_deg: scalar [deg], for one program that trains with several ranges; None: the configuration's.
    """
    if rotation_range_deg is None:
        rotation_range_deg = config.stamp.rotation_range_deg
    angle_keys = dropout_keys = None
    if key is not None:
        angle_key, dropout_key = jax.random.split(key)
        angle_keys = jax.random.split(angle_key, len(stamps)) if config.stamp.rotation_range_deg else None
        dropout_keys = jax.random.split(dropout_key, math.prod(stamps.shape[:2]) * config.stamp.copies)

    def copies_of(stamps: jax.Array, key: jax.Array | None) -> jax.Array:
        angles = copy_angles(key, config.stamp.copies, rotation_range_deg)
        return jax.vmap(lambda stamp: rotated_copies(stamp.astype(jnp.float32), angles, config.stamp.crop))(stamps)

    def encode_copy(copy: jax.Array, key: jax.Array | None) -> jax.Array:
        rngs = None if key is None else {"dropout": key}
        return encoder.apply({"params": encoder_params}, copy, train=key is not None, rngs=rngs)

    encoder = StampEncoder(config.encoder, compute_dtype(config))
    copies = jax.vmap(copies_of)(stamps, angle_keys)
    *axes, side, _, channels = copies.shape
    # One axis for B, N and K: mapped over three, XLA's loops over pixels take a training step 5 to 12 % longer on a CPU
    encoded = jax.vmap(encode_copy)(copies.reshape(-1, side, side, channels), dropout_keys)
    return cyclic_pooling(encoded.reshape(*axes, encoded.shape[-1]))


def compute_dtype(config: Config) -> jnp.dtype:
    """Type of the encoder's arithmetic, which is nearly all of the work; weights are always float32."""
    automatic = "bfloat16" if devices.multiply_bfloat16() else "float32"
    return jnp.dtype(automatic if config.precision == "auto" else config.precision)


def norm(train: bool) -> nn.BatchNorm:
    """Batch norm over all axes but the last, as the metadata have it before each concatenation. FIDELITY, Network."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.99, epsilon=1e-3)
