"""A few numbers that tell whether two stamps are copies, and do not mind that all stars look alike.

Stars of one brightness have the same image but for the noise, so what tells one image from another is the noise: pixels
less the mean of their neighbours, cut at three standard deviations. Of two different images it correlates like that of
random numbers, of copies strongly, also when they were scaled, rounded or made slightly noisier. A copy that is shifted
is not known again; means of blocks would know it, but also take any two bright stars for copies.
"""

import numpy as np

from jtss.schema import STAMP_SIDE

N_NUMBERS = 16  # more make a search in a tree slow, fewer let chance in
SIDE = STAMP_SIDE - 2  # a pixel at the edge lacks neighbours
CUT = 3.0  # standard deviations
LEAST_BUSY = 0.25  # of the pixels must differ from the next
SIGMA_OF_MEDIAN = 1.4826  # standard deviation over median of absolute values, for a normal distribution
N_TURNS = 8  # orientations of a square


def busy(images: np.ndarray) -> np.ndarray:
    """Which images [B, S, S] hold something: not constant, nor empty, nor mostly NaN.

    Returns:
        [B] bool: at least `LEAST_BUSY` of the pixels are there and differ from the next one.
    """
    some = images[:, ::4]  # rows; as good, and four times as fast
    one, other = some[:, :, 1:], some[:, :, :-1]
    return ((one < other) | (one > other)).mean(axis=(1, 2)) >= LEAST_BUSY  # neither holds of NaN


def noise(images: np.ndarray) -> np.ndarray:
    """What is left of images [B, S, S] without all that is smooth or bright, with mean square 1.

    Returns:
        [B, S - 2, S - 2] float32; 0 where a pixel or a neighbour is NaN.
    """
    images = images.astype(np.float32)
    around = images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    rough = images[:, 1:-1, 1:-1] - around / 4
    rough[np.isnan(rough)] = 0
    # of every third pixel: as good, and three times as fast
    sigma = SIGMA_OF_MEDIAN * np.median(np.abs(rough.reshape(len(rough), -1)[:, ::3]), axis=1)[:, None, None]
    cut = np.clip(rough, -CUT * sigma, CUT * sigma)
    power = np.sqrt(np.mean(cut**2, axis=(1, 2), keepdims=True))
    return cut / np.where(power > 0, power, 1)


def turned(images: np.ndarray) -> np.ndarray:
    """[8, B, S, S]: images in all orientations of a square, turned and mirrored; the first is as it was."""
    quarter_turns = [np.rot90(images, k, axes=(1, 2)) for k in range(4)]
    return np.stack([*quarter_turns, *(image[:, :, ::-1] for image in quarter_turns)])


def _signs() -> np.ndarray:
    """[8, S², 16] random signs, for an image in each orientation; to turn them spares turning the images.

    The distance of two images is that of their 16 sums with random signs, but for chance (Johnson & Lindenstrauss
    1984). They are fixed, so that two runs agree.
    """
    signs = np.random.default_rng(0).choice(np.float32([-1, 1]), (SIDE * SIDE, N_NUMBERS))
    places = turned(np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE)).reshape(N_TURNS, -1)
    return np.stack([signs[np.argsort(place)] for place in places]) / np.float32(SIDE * N_NUMBERS**0.5)


_SIGNS = _signs()
_SIDE_BY_SIDE = np.concatenate(_SIGNS, axis=-1)


def fingerprints(rough: np.ndarray) -> np.ndarray:
    """[B, 16] float32 of what `noise` gives; about of length 1."""
    return rough.reshape(-1, SIDE * SIDE) @ _SIGNS[0]


def turned_fingerprints(rough: np.ndarray) -> np.ndarray:
    """[8, B, 16]: the fingerprints of `turned` images."""
    numbers = rough.reshape(-1, SIDE * SIDE) @ _SIDE_BY_SIDE
    return np.moveaxis(numbers.reshape(len(rough), N_TURNS, N_NUMBERS), 1, 0)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two images that `noise` gave, [S - 2, S - 2], the second in whichever orientation it is highest."""
    return float(max((one * way[0]).mean() for way in turned(other[None])))
