"""What networks are made of: each copy of each stamp is encoded by itself."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from helpers.made_weights import drawn
from jtss.config import named
from jtss.network import network, parts
from jtss.network.encoder import StampEncoder
from jtss.network.rotation import copy_angles, rotated_copies

DEMO = named.get("demo")


def test_every_copy_of_every_detection_is_encoded_by_itself():
    """One loop over objects, detections and copies, each with the dropout of its own key."""
    config = replace(DEMO, encoder=replace(DEMO.encoder, filters=(2, 2, 3, 3, 3), units=(16,), dropout=0.5))
    params = drawn(partial(network.init, config), jax.random.key(1))["params"]["encoder"]
    side = config.stamp.source_side
    stamps, key = np.random.default_rng(0).random((2, 3, side, side, 2)).astype(np.float16), jax.random.key(4)
    encoded = jax.jit(parts.encode, static_argnums=0)(config, params, stamps, key)
    assert encoded.shape == (2, 3, 16)
    angle_key, dropout_key = jax.random.split(key)
    keys = iter(jax.random.split(dropout_key, 2 * 3 * config.stamp.copies))
    turned = jax.jit(partial(rotated_copies, side=config.stamp.crop))
    encode_one = jax.jit(partial(StampEncoder(config.encoder).apply, train=True))
    for row, of_object, of_angles in zip(encoded, stamps, jax.random.split(angle_key, 2), strict=True):
        angles = copy_angles(of_angles, config.stamp.copies, config.stamp.rotation_range_deg)
        for found, stamp in zip(row, of_object, strict=True):
            copies = turned(stamp.astype(np.float32), angles)
            one_by_one = [encode_one({"params": params}, copy, rngs={"dropout": next(keys)}) for copy in copies]
            np.testing.assert_allclose(found, np.mean(one_by_one, axis=0), rtol=1e-5, atol=1e-6)
