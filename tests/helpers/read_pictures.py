"""What is in a PNG."""

from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image


def pixels(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG")
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def has_colour(png: bytes, colour: str) -> bool:
    return bool((np.abs(pixels(png) / 255 - to_rgb(colour)).max(axis=-1) < 0.01).any())
