"""What a prediction of one object rests on: what it loses where a patch hides the image, or a value is taken away.

Both ask the trained network again with something withheld. They do not show that the prediction is right, and a value
that others can stand in for may matter more than its change tells.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jtss.inference import predict
from jtss.network.parts import Batch

Probabilities = Callable[[Batch], np.ndarray]  # objects ready for the model → [B, L]

PATCH, STEP = 5, 3  # pixels
AT_ONCE = predict.BATCH_SIZE  # objects
LEAST = 1e-12  # of a probability whose logarithm is taken


class Occlusion(NamedTuple):
    """What a patch takes from the probability of a class.

    Attributes:
        places: [P]; first row, or column, of the patch.
        side: pixels of the patch.
        drop: [N, C, P, P]; probability without patch minus probability with it, by detection, channel, row, column.
    """

    places: np.ndarray
    side: int
    drop: np.ndarray


class Ablation(NamedTuple):
    """How much the log-odds of a class fall where a value is replaced by its training mean: positive speaks for it.

    Attributes:
        dynamic: [D]; replaced in all detections.
        static: [F].
    """

    dynamic: np.ndarray
    static: np.ndarray


def occlusion(ask: Probabilities, one: Batch, which: int, side: int = PATCH, step: int = STEP) -> Occlusion:
    """Slide a patch over each stamp of an object, of the median brightness of that stamp.

    Args:
        ask: the trained network.
        one: one object, [1, N, S, S, C] stamps as the model reads them.
        which: index of the class.
        side: pixels of the patch.
        step: pixels from one place to the next.

    Zeiler & Fergus 2014, arXiv:1311.2901.
    """
    n, size, channels = one.stamps.shape[1], one.stamps.shape[2], one.stamps.shape[4]
    places = _places(size, side, step)
    before = float(ask(one)[0, which])
    positions = list(np.ndindex(n, channels, len(places), len(places)))
    after = np.empty(len(positions))
    for first in range(0, len(positions), AT_ONCE):
        part = positions[first : first + AT_ONCE]
        stamps = np.repeat(one.stamps, len(part), axis=0)
        for image, (detection, channel, row, column) in zip(stamps, part, strict=True):
            top, left = places[row], places[column]
            grey = np.median(image[detection, :, :, channel])
            image[detection, top : top + side, left : left + side, channel] = grey
        asked = jax.tree.map(partial(np.repeat, repeats=len(part), axis=0), one)._replace(stamps=stamps)
        after[first : first + len(part)] = ask(asked)[:, which]
    return Occlusion(places, side, before - after.reshape(n, channels, len(places), len(places)))


def as_dict(occluded: Occlusion, channels: Sequence[str]) -> dict:
    """As plain values, for a document."""
    return {
        "channels": list(channels),
        "patch_pixels": occluded.side,
        "places_pixels": occluded.places.tolist(),
        "largest_drop": occluded.drop.max(axis=(2, 3)).tolist(),
        "drop": occluded.drop.tolist(),
    }


def _places(size: int, side: int, step: int) -> np.ndarray:
    """First pixels of patches that cover 0 to size, the last one flush with the end."""
    last = max(size - side, 0)
    return np.unique(np.append(np.arange(0, last, step), last))


def per_pixel(occlusion: Occlusion, size: int) -> np.ndarray:
    """[N, C, size, size]: for each pixel the mean drop of the patches that cover it."""
    n, channels = occlusion.drop.shape[:2]
    total, count = np.zeros((n, channels, size, size)), np.zeros((size, size))
    for (row, top), (column, left) in _pairs(occlusion.places):
        square = np.s_[..., top : top + occlusion.side, left : left + occlusion.side]
        total[square] += occlusion.drop[:, :, row, column, None, None]
        count[square] += 1
    return total / count


def _pairs(places: np.ndarray):
    return ((row, column) for row in enumerate(places) for column in enumerate(places))


def log_odds(probabilities: np.ndarray, which: int) -> np.ndarray:
    """ln p / (1 - p) of [B, L] probabilities; 1 - p is the sum of the others, which does not round to 0 early."""
    p = np.asarray(probabilities, np.float64)
    others = np.delete(p, which, axis=1).sum(axis=1)
    return np.log(np.maximum(p[:, which], LEAST)) - np.log(np.maximum(others, LEAST))


def ablation(ask: Probabilities, one: Batch, which: int) -> Ablation:
    """Replace each metadata value of an object by its training mean, which is 0 for the model.

    Args:
        ask: the trained network.
        one: one object, [1, N, D] dynamic and [1, F] static values, standardised.
        which: index of the class.
    """
    before = log_odds(ask(one), which)[0]
    n_dynamic, n_static = one.dynamic.shape[-1], one.static.shape[-1]
    after = []
    for i in range(n_dynamic + n_static):
        dynamic, static = np.array(one.dynamic), np.array(one.static)
        if i < n_dynamic:
            dynamic[..., i] = 0
        else:
            static[..., i - n_dynamic] = 0
        after.append(log_odds(ask(Batch(one.stamps, dynamic, static)), which)[0])
    change = before - np.array(after)
    return Ablation(change[:n_dynamic], change[n_dynamic:])
