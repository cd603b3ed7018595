"""The one definition of how a stamp is scaled; both halves use it, so there is no skew between training and use."""

import math

import numpy as np


def min_max(images: np.ndarray) -> np.ndarray:
    """Scale each image and channel to [0, 1] by its own extremes, ignoring NaN.

    Args:
        images: [..., H, W, C]; NaN = missing; any float type; the range of an image must fit float32.

    Returns:
        Same shape, float32. NaN stays NaN; a constant image becomes 0. Multiplying an image by a positive number or
        adding one does not change the result, and neither does what else is in the batch.

    FIDELITY, Stamps: the scaling of the first-detection classifier (Carrasco-Davis et al. 2021).
    """
    scaled = np.array(images, np.float32, order="C")  # a view must be possible below, whatever the input's strides
    height, width, channels = scaled.shape[-3:]
    n_images = math.prod(scaled.shape[:-3])
    rows = scaled.reshape(n_images, height, width * channels)  # a view whose inner axis is long: eight times as fast
    low = _extreme(np.fmin, rows, width, channels)
    span = _extreme(np.fmax, rows, width, channels) - low
    rows -= low
    rows /= np.where(span > 0, span, np.float32(1))
    return scaled


def _extreme(pick: np.ufunc, rows: np.ndarray, width: int, channels: int) -> np.ndarray:
    """[B, 1, W * C]: each channel's extreme, repeated along the row; fmin and fmax pass over NaN in silence."""
    by_column = pick.reduce(rows, axis=1).reshape(len(rows), width, channels)
    return np.tile(pick.reduce(by_column, axis=1), width)[:, None]


def centre_crop(images: np.ndarray, side: int) -> np.ndarray:
    """The central [..., side, side, C] of [..., S, S, C], both sides odd: 21 of 63 is rows and columns 21 to 41."""
    margin = (images.shape[-3] - side) // 2
    return images[..., margin : margin + side, margin : margin + side, :]
