"""A finding: one line of what a check of the audit has to say."""

from collections.abc import Iterable
from typing import NamedTuple

OK, NOTE, WARNING, LEAK = "ok", "note", "WARNING", "LEAK"
MOST_EXAMPLES = 3


class Finding(NamedTuple):
    """One line of an audit.

    Attributes:
        level: `LEAK`: accuracies measured with this file cannot be trusted; `WARNING`: look at it; `NOTE`: a number to
            know, or what could not be judged; `OK`: looked for and absent.
        check: what was looked at, in a word or two.
        text: what is the case.
        count: how many of what `text` names.
        examples: a few of them, the first by name.
    """

    level: str
    check: str
    text: str
    count: int = 0
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ["…"] if self.count > len(self.examples) else []
        examples = f" ({'; '.join([*self.examples, *more])})" if self.examples else ""
        count = f": {self.count}" if self.count else ""
        return f"{self.level:<8} {self.check:<12} {self.text}{count}{examples}"


def counted(level: str, check: str, text: str, cases: Iterable[str]) -> list[Finding]:
    """The finding that counts `cases`, one text each in any order; none where there are none."""
    cases = sorted(cases)
    return [Finding(level, check, text, len(cases), tuple(cases[:MOST_EXAMPLES]))] if cases else []
