"""What the process of a stage is given, and what it gives back."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu import stages
from benchmarks.gpu.sizes import Sizes


class Job(NamedTuple):
    """A stage to be done.

    Attributes:
        out: folder of everything.
        sizes: how large.
        seconds: after which its process will be asked to end.
        keep: writes down what is measured so far, so that a stage that is stopped leaves it.
    """

    out: Path
    sizes: Sizes
    seconds: float
    keep: Callable[[dict], None]

    @property
    def work(self) -> Path:
        """The folder of what stays on the machine."""
        return self.out / stages.WORK

    @property
    def few(self) -> Path:
        """The small sky."""
        return self.work / stages.FEW

    @property
    def sky(self) -> Path:
        """The sky to learn from."""
        return self.work / stages.SKY


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        values: numbers and words by name, units in the names; one level of dicts below.
        finished: whether nothing is left to do.
    """

    values: dict
    finished: bool = True
