"""A tiny network, a made training set, and how to train the one on the other."""

from collections.abc import Iterator

import jax
import numpy as np

from jtss.config import named
from jtss.config.settings import Config, override
from jtss.network import inputs
from jtss.network.inputs import Examples
from jtss.training import loop, step
from jtss.training.batches import Resident, validation_chunks
from jtss.training.loop import Progress
from jtss.training.step import TrainState
from jtss.training.trainer import NeverStop

TINY = override(
    named.get("demo"),
    [
        "stamp.crop=5",
        "encoder.filters=2,2,3,3,3",
        "training.batch_size=16",
        "training.iterations=12",
        "training.validate_every=4",
    ],
)
NO_IMAGES = override(TINY, ["stamp.channels="])  # all steps of a turn in one dispatch on a CPU, too


class StopAfter(NeverStop):
    """Stops when it was asked so many times."""

    def __init__(self, times):
        self._left = times

    def agree(self):
        self._left -= 1
        self.agreed = int(self._left < 0)
        return bool(self.agreed)


def made_examples(n: int, seed: int, signal: float = 4.0, side: int = TINY.stamp.source_side) -> Examples:
    """Three classes that differ in one dynamic and one static value."""
    rng = np.random.default_rng(seed)
    label = np.arange(n, dtype=np.int32) % 3
    dynamic, static = rng.normal(size=(n, 3, 10)), rng.normal(size=(n, 17))
    dynamic[..., 5] += signal * label[:, None]
    static[:, 3] -= signal * label
    return Examples(
        rng.random((n, 3, side, side, 2)).astype(np.float16),
        dynamic.astype(np.float32),
        static.astype(np.float32),
        label,
        np.full(n, -1, np.int32),
        np.zeros(n, np.int8),
        np.arange(n),
        rng.choice([1, 2, 4, 40, np.nan], (n, 2)).astype(np.float32),
    )


TRAIN, VALIDATION = made_examples(90, 0), made_examples(40, 1)
STATISTICS = inputs.fit(TRAIN.dynamic, TRAIN.static, TINY.metadata)


def without_images(examples: Examples) -> Examples:
    return examples._replace(stamps=examples.stamps[..., :0])


def chunks_of(config: Config, validation: Examples = VALIDATION, size: int | None = None):
    given = validation if config.stamp.channels else without_images(validation)
    return validation_chunks(given, STATISTICS, size or config.training.batch_size)


def source_of(config: Config, train: Examples = TRAIN) -> Resident:
    return Resident(train if config.stamp.channels else without_images(train), STATISTICS, config)


def states_of(config: Config, *seeds: int) -> TrainState:
    chosen = seeds or (config.training.seed,)
    return step.join([step.init_state(override(config, [f"training.seed={seed}"])) for seed in chosen])


def turns(
    config: Config, states: TrainState | None = None, *, source=None, chunks=None, seeds: tuple = (), **more
) -> Iterator[Progress]:
    states = states_of(config, *seeds) if states is None else states
    return loop.run(config, states, source or source_of(config), chunks or chunks_of(config), **more)


def trained(config: Config, **given) -> TrainState:
    """The states at the end."""
    return list(turns(config, **given))[-1].states


def leaves(tree) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def assert_equal_trees(one, other) -> None:
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close_trees(one, other, **tolerance) -> None:
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)
