"""Convolutions whose gradients are quick on a CPU, too.

XLA has quick kernels on a CPU for one arrangement only: images [M, H, W, C], kernels [h, w, C, F]. It brings others
into it, but not inside a loop, where they run 90 times slower (jaxlib 0.10 and 0.12, measured); and for the gradient of
a kernel it takes the whole batch as one window, which leaves the cache. Here the gradients are written as convolutions
in that arrangement, the kernel's as a sum over a few images at a time.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

AT_ONCE = 18  # images in one part of a kernel's gradient, at most: their pixels stay in the cache
ARRANGEMENT = ("NHWC", "HWIO", "NHWC")

Pads = tuple[tuple[int, int], tuple[int, int]]


def convolve(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: str, **settings) -> jax.Array:
    """`lax.conv_general_dilated` without strides, dilation and groups, for `flax.linen.Conv`; images must be one axis.

    A `jax.vmap` over images would ask for a kernel's gradient for each of them, so the caller gives all at once.
    """
    if jax.default_backend() != "cpu":
        return lax.conv_general_dilated(x, kernel, strides, padding, **settings)
    pads = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    return _convolve(x, kernel, tuple((low, high) for low, high in pads))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: jax.Array, kernel: jax.Array, pads: Pads) -> jax.Array:
    """[M, H, W, C] and [h, w, C, F] → [M, H', W', F]."""
    return lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=ARRANGEMENT)


def _forward(x: jax.Array, kernel: jax.Array, pads: Pads) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, pads), (x, kernel)


def _backward(pads: Pads, saved: tuple[jax.Array, jax.Array], change: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    back = tuple((size - 1 - low, size - 1 - high) for size, (low, high) in zip(kernel.shape, pads, strict=False))
    return _convolve(change, turned, back), _kernel_gradient(x, change, pads).astype(kernel.dtype)


def _kernel_gradient(x: jax.Array, change: jax.Array, pads: Pads) -> jax.Array:
    """[M, H, W, C] and [M, H', W', F] → [h, w, C, F]: the images' axis is summed like a channel's."""
    at_once = max(size for size in range(1, AT_ONCE + 1) if len(x) % size == 0)

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        x, change = part[0].transpose(3, 1, 2, 0), part[1].transpose(1, 2, 0, 3)
        return total + _convolve(x, change, pads), None

    parts = [array.reshape(-1, at_once, *array.shape[1:]) for array in (x, change)]
    size = [x.shape[i] + sum(pads[i - 1]) - change.shape[i] + 1 for i in (1, 2)]
    total = jnp.zeros((x.shape[-1], *size, change.shape[-1]))
    return lax.scan(add, total, tuple(parts))[0].transpose(1, 2, 0, 3)


_convolve.defvjp(_forward, _backward)
