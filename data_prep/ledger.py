"""The ledger: every alert read is either kept or dropped for a named reason; nothing is lost in silence."""

from collections import Counter
from typing import NamedTuple


class Rejection(NamedTuple):
    """One piece of input that was not used, and why.

    Attributes:
        reason: a short fixed name, e.g. "stamp_shape": what the ledger counts by.
        detail: what was there and what was expected, for a person.
        source: the file, or "archive!member".
        object_id: ZTF objectId, "" where it could not be read.
        candid: ZTF candid, 0 where it could not be read.
        n_alerts: alerts lost with it. A file that should hold an alert and holds nothing (empty_file, no_records) has
            lost one; 0 for what was not to hold any (a file of another kind, an empty folder).
    """

    reason: str
    detail: str
    source: str
    object_id: str = ""
    candid: int = 0
    n_alerts: int = 1


class Ledger:
    """Counts of alerts read, kept and dropped by reason; read = kept + dropped by construction.

    `notes` counts what is worth a remark without costing an alert: stamps with NaN pixels, labels of no known class.
    """

    def __init__(self) -> None:
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    @property
    def n_dropped(self) -> int:
        return sum(self.dropped.values())

    @property
    def read(self) -> int:
        return self.kept + self.n_dropped

    def keep(self, n_alerts: int = 1) -> None:
        self.kept += n_alerts

    def drop(self, reason: str, n_alerts: int = 1) -> None:
        """Count alerts lost for `reason`; what holds no alert (`n_alerts` 0) becomes a note."""
        if n_alerts:
            self.dropped[reason] += n_alerts
        else:
            self.notes[reason] += 1

    def note(self, name: str, count: int = 1) -> None:
        if count:
            self.notes[name] += count

    def as_dict(self) -> dict:
        """The ledger as plain numbers and dicts in a fixed order, for JSON."""
        return {
            "read": self.read,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "notes": dict(sorted(self.notes.items())),
        }

    def __str__(self) -> str:
        return table(self.as_dict())


def table(counts: dict) -> str:
    """Lay out what `Ledger.as_dict` gives as text, one number a line."""
    lines = [("alerts read", counts["read"]), ("kept", counts["kept"])]
    lines += [("dropped", counts["read"] - counts["kept"])]
    lines += [(f"  {reason}", n) for reason, n in sorted(counts["dropped"].items(), key=lambda item: -item[1])]
    lines += [("notes", "")] if counts["notes"] else []
    lines += [(f"  {name}", n) for name, n in counts["notes"].items()]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {count:>9}".rstrip() for name, count in lines)
