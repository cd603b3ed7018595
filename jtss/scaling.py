"""The one definition of how a stamp is scaled; both halves use it, so there is no skew between training and use."""

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
    scaled = np.array(images, np.float32)
    # fmin and fmax pass over NaN without a word where all is NaN; one axis at a time is four times as fast as two
    low = np.fmin.reduce(np.fmin.reduce(scaled, axis=-3), axis=-2)[..., None, None, :]
    high = np.fmax.reduce(np.fmax.reduce(scaled, axis=-3), axis=-2)[..., None, None, :]
    scaled -= low
    scaled /= np.where(high > low, high - low, np.float32(1))
    return scaled


def centre_crop(images: np.ndarray, side: int) -> np.ndarray:
    """The central [..., side, side, C] of [..., S, S, C], both sides odd: 21 of 63 is rows and columns 21 to 41."""
    margin = (images.shape[-3] - side) // 2
    return images[..., margin : margin + side, margin : margin + side, :]
