"""How much of a budget each stage may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

END_SECONDS = 5.0  # kept for what is written at the very end


@dataclass(frozen=True)
class Budget:
    """A time that has begun to run.

    Attributes:
        seconds: all of it.
        clock: monotonic [s].
        began: on that clock.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(default=-1.0)

    def __post_init__(self):
        if self.began < 0:
            object.__setattr__(self, "began", self.clock())

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds until its end, never negative."""
        return max(self.seconds - self.spent, 0.0)

    def limit(self, *, share: float = 1.0, until: float = 1.0, keep: float = 0.0) -> float:
        """Seconds that a stage may take if it begins now; 0 where there is nothing left for it.

        Args:
            share: of the whole budget that it may take at most.
            until: share of the budget after which it must have ended.
            keep: seconds to be left for what follows.
        """
        ends = min(self.seconds * until, self.seconds - keep - END_SECONDS)
        return max(min(self.seconds * share, ends - self.spent), 0.0)
