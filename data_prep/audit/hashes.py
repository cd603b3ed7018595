"""Hashes of many images at once."""

import hashlib

import numpy as np


def hashes(channels: np.ndarray) -> np.ndarray:
    """A hash of the bytes of each image.

    Of a million different images two share one by chance in 1 of 18 million data sets.

    Args:
        channels: [C, B, S, S], contiguous.

    Returns:
        [B, C] uint64, never 0.
    """
    digests = [[hashlib.blake2b(image.data, digest_size=8).digest() for image in images] for images in channels]
    joined = b"".join(digest for row in digests for digest in row)
    return np.frombuffer(joined, "<u8").reshape(channels.shape[:2]).T | np.uint64(1)
