"""The encoder of one stamp, and cyclic pooling over its rotated copies."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss.configs import EncoderConfig


class StampEncoder(nn.Module):
    """[A, A, C] → [units]: five convolutions, two max pools, one dense layer.

    Glorot-uniform kernels; every width follows from the input's shape. TSC Table 4.
    """

    config: EncoderConfig

    @nn.compact
    def __call__(self, stamp: jax.Array) -> jax.Array:
        def convolve(x: jax.Array, layer: int, padding: str) -> jax.Array:
            size = self.config.kernels[layer]
            convolution = nn.Conv(
                self.config.filters[layer],
                (size, size),
                padding=padding,
                kernel_init=nn.initializers.glorot_uniform(),
                name=f"conv_{layer + 1}",
            )
            return nn.relu(convolution(x))

        margin = self.config.padding
        x = jnp.pad(stamp, ((margin, margin), (margin, margin), (0, 0)))
        x = convolve(x, 0, "VALID")
        x = convolve(x, 1, "SAME")
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        for layer in (2, 3, 4):
            x = convolve(x, layer, "SAME")
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        dense = nn.Dense(self.config.units, kernel_init=nn.initializers.glorot_uniform(), name="dense")
        return nn.relu(dense(x.reshape(-1)))


def cyclic_pooling(features: jax.Array) -> jax.Array:
    """Mean over the rotated copies: [k, U] → [U]. TSC §III-B."""
    return jnp.mean(features, axis=0)
