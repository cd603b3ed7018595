"""The encoder of one stamp, vmapped by the caller, and cyclic pooling over its rotated copies."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss.config.settings import EncoderConfig
from jtss.network.convolution import convolve


class StampEncoder(nn.Module):
    """[A, A, C] → [units]: five convolutions, two max pools, then dense layers.

    Glorot-uniform kernels; every width follows from the input's shape. TSC Table 4.
    """

    config: EncoderConfig
    dtype: jnp.dtype = jnp.float32  # of the arithmetic; weights and result are float32

    @nn.compact
    def __call__(self, stamp: jax.Array, *, train: bool = False) -> jax.Array:
        margin = self.config.padding
        x = jnp.pad(stamp, ((margin, margin), (margin, margin), (0, 0)))
        x = self._convolution(x, 1, "VALID")
        x = self._convolution(x, 2, "SAME")
        x = max_pool(x)
        for layer in (3, 4, 5):
            x = self._convolution(x, layer, "SAME")
        x = max_pool(x)
        x = x.reshape(-1)
        for layer, units in enumerate(self.config.units, start=1):
            dense = nn.Dense(
                units, dtype=self.dtype, kernel_init=nn.initializers.glorot_uniform(), name=f"dense_{layer}"
            )
            x = nn.Dropout(self.config.dropout, deterministic=not train)(nn.relu(dense(x)))
        return x.astype(jnp.float32)

    def _convolution(self, x: jax.Array, layer: int, padding: str) -> jax.Array:
        size = self.config.kernels[layer - 1]
        convolution = nn.Conv(
            self.config.filters[layer - 1],
            (size, size),
            padding=padding,
            conv_general_dilated=convolve,
            dtype=self.dtype,
            kernel_init=nn.initializers.glorot_uniform(),
            name=f"conv_{layer}",
        )
        return nn.relu(convolution(x))


def max_pool(x: jax.Array) -> jax.Array:
    """Largest of each 2×2 pixels, […, H, W, C] → […, H // 2, W // 2, C]; an odd last row or column is left out.

    Written out, because the gradient of XLA's own pooling is slow on a CPU. Equal maxima share the gradient.
    TSC Table 4.
    """
    x = jnp.maximum(x[..., :-1:2, :, :], x[..., 1::2, :, :])
    return jnp.maximum(x[..., :-1:2, :], x[..., 1::2, :])


def cyclic_pooling(features: jax.Array) -> jax.Array:
    """Mean over the rotated copies: […, k, U] → […, U]. TSC §III-B."""
    return jnp.mean(features, axis=-2)
