"""The encoder's convolution: mapped over stamps it is one convolution of them all, with gradients quick on a CPU.

XLA has quick kernels on a CPU for one arrangement only: images [M, H, W, C], kernels [h, w, C, F]. It brings others
into it, but not inside a loop, where they run 90 times slower (jaxlib 0.10 and 0.12, measured); and for the gradient of
a kernel it takes the whole batch as one window, which leaves the cache. Here the gradients are written as convolutions
in that arrangement, the kernel's as a sum over a few images at a time.

A `jax.custom_vjp` cannot do so under `jax.vmap`: its backward pass is mapped, too, and leaves a kernel's gradient for
each image, to be summed afterwards; and a `jax.custom_batching.custom_vmap` around it has no gradient. So this is a
primitive of its own: bilinear, mapped before it is transposed.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

AT_ONCE = 18  # images in one part of a kernel's gradient, at most: their pixels stay in the cache

Pads = tuple[tuple[int, int], tuple[int, int]]


def convolve(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: str, **settings) -> jax.Array:
    """`lax.conv_general_dilated` without strides, dilation and groups, for `flax.linen.Conv`.

    Args:
        x: [M, H, W, C].
        kernel: [h, w, C, F].
        strides: of 1.
        padding: "SAME" or "VALID".
        **settings: as Flax gives them.

    Returns:
        [M, H', W', F].
    """
    if jax.default_backend() != "cpu":
        return lax.conv_general_dilated(x, kernel, strides, padding, **settings)
    pads = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    return _convolve(x, kernel, tuple((low, high) for low, high in pads))


def _convolve(x: jax.Array, kernel: jax.Array, pads: Pads) -> jax.Array:
    """[M, H, W, C] and [h, w, C, F] → [M, H', W', F]."""
    return _primitive.bind(x, kernel, pads=pads)


def _plain(x: jax.Array, kernel: jax.Array, *, pads: Pads) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _mapped(arrays: tuple[jax.Array, jax.Array], axes: tuple[int | None, int | None], *, pads: Pads) -> tuple:
    """Images of an axis more are more images; with a kernel for each (seeds in one program) XLA's groups are used."""
    (x, kernel), (axis, kernel_axis) = arrays, axes
    if kernel_axis is not None:
        return jax.vmap(partial(_plain, pads=pads), axes)(x, kernel), 0
    x = jnp.moveaxis(x, axis, 0)
    y = _convolve(x.reshape(-1, *x.shape[2:]), kernel, pads)
    return y.reshape(*x.shape[:2], *y.shape[1:]), 0


def _image_gradient(change: jax.Array, x: ad.UndefinedPrimal, kernel: jax.Array, *, pads: Pads) -> jax.Array:
    """[M, H', W', F] and [h, w, C, F] → [M, H, W, C]."""
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    back = tuple((size - 1 - low, size - 1 - high) for size, (low, high) in zip(kernel.shape, pads, strict=False))
    return _convolve(change, turned, back)


def _kernel_gradient(change: jax.Array, x: jax.Array, kernel: ad.UndefinedPrimal, *, pads: Pads) -> jax.Array:
    """[M, H', W', F] and [M, H, W, C] → [h, w, C, F]: the images' axis is summed like a channel's."""
    at_once = max(size for size in range(1, AT_ONCE + 1) if len(x) % size == 0)

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        x, change = part[0].transpose(3, 1, 2, 0), part[1].transpose(1, 2, 0, 3)
        return total + _convolve(x, change, pads), None

    parts = [array.reshape(-1, at_once, *array.shape[1:]) for array in (x, change)]
    h, w, *channels = kernel.aval.shape
    total = jnp.zeros((channels[0], h, w, channels[1]))
    return lax.scan(add, total, tuple(parts))[0].transpose(1, 2, 0, 3).astype(kernel.aval.dtype)


_primitive = Primitive("convolve")
_primitive.def_impl(_plain)
_primitive.def_abstract_eval(lambda *arrays, pads: jax.typeof(jax.eval_shape(partial(_plain, pads=pads), *arrays)))
ad.defbilinear(_primitive, _image_gradient, _kernel_gradient)
batching.primitive_batchers[_primitive] = _mapped
mlir.register_lowering(_primitive, mlir.lower_fun(_plain, multiple_results=False))
