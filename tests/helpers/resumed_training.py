"""A program: train, train again from the state after the first turn, and end with 1 where the bits differ.

In a process of its own, because XLA reads its flags once.
"""

import sys

import jax
import numpy as np

from helpers.made_training import TINY, leaves, trained, turns


def main() -> int:
    first = jax.tree.map(np.array, next(turns(TINY)).states)  # in host memory, as a checkpoint is read
    whole, resumed = leaves(trained(TINY)), leaves(trained(TINY, states=jax.device_put(first)))
    differ = sum(not np.array_equal(one, other) for one, other in zip(whole, resumed, strict=True))
    print(f"{jax.default_backend()}: {differ} of {len(whole)} arrays differ at step {TINY.training.iterations}")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
