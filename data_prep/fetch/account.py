"""The account of what was asked for: every object, night and alert has one outcome; it adds up by construction."""

from collections import Counter

from data_prep.lost import ABSENT, DAMAGED, FAILED, GOT, NOT_ASKED, OUTCOMES

WHAT = ("nights", "objects", "alerts")
FINAL = (GOT, ABSENT)  # not asked for again
OTHERS, UNREADABLE = "of other objects", "unreadable"  # of the alerts in a whole archive, as it was published


class Account:
    """Counts of what was asked for, by outcome and reason.

    Attributes:
        notes: what is worth a remark and costs nothing.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, str]]] = {what: Counter() for what in WHAT}
        self.notes: Counter[str] = Counter()

    def count(self, what: str, outcome: str, reason: str = "", n: int = 1) -> None:
        """Add to the objects, nights or alerts of an outcome."""
        self._counts[what][outcome, reason] += n

    def total(self, what: str, *outcomes: str) -> int:
        """How many there are, of these outcomes or of all."""
        counts = self._counts[what].items()
        return sum(n for (outcome, _), n in counts if not outcomes or outcome in outcomes)

    def _of_something(self) -> list[tuple[str, Counter[tuple[str, str]]]]:
        return [(what, counts) for what, counts in self._counts.items() if counts]

    @property
    def is_settled(self) -> bool:
        """Whether all was answered, so that the same command has nothing to ask for again."""
        return not any(self.total(what, DAMAGED, FAILED, NOT_ASKED) for what in self._counts)

    def as_dict(self) -> dict:
        """Plain numbers in a fixed order, for JSON: {what: {"asked": n, outcome: {reason: n}}}."""
        result: dict = {}
        for what, counts in self._of_something():
            result[what] = {"asked": self.total(what)}
            for (outcome, reason), n in sorted(counts.items(), key=lambda item: (_rank(item[0][0]), item[0][1])):
                result[what].setdefault(outcome, {})[reason] = n
        return result | ({"notes": dict(sorted(self.notes.items()))} if self.notes else {})

    def __str__(self) -> str:
        lines: list[tuple[str, object]] = []
        for what, counts in self._of_something():
            lines.append((f"{what} asked for", self.total(what)))
            for outcome in sorted({outcome for outcome, _ in counts}, key=_rank):
                lines.append((f"  {outcome}", self.total(what, outcome)))
                lines += sorted((f"    {reason}", n) for (of, reason), n in counts.items() if of == outcome and reason)
        lines += [("notes", ""), *((f"  {name}", n) for name, n in sorted(self.notes.items()))] if self.notes else []
        width = max((len(name) for name, _ in lines), default=0)
        return "\n".join(f"{name:<{width}}  {n:>9}".rstrip() for name, n in lines)


def _rank(outcome: str) -> tuple[int, str]:
    return (OUTCOMES.index(outcome) if outcome in OUTCOMES else len(OUTCOMES)), outcome
