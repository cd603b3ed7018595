"""What becomes of a question to a service: an outcome, and what did not come as an exception with its reason."""

GOT, INCOMPLETE, ABSENT, DAMAGED, FAILED, NOT_ASKED = OUTCOMES = (
    "got",
    "incomplete",  # of an object or a night: some of its alerts did not come
    "absent",  # the service answered that it has none
    "damaged",  # what came is not what was asked for, each time
    "failed",  # no answer, each time
    "not asked",  # the run ended before
)


class Lost(Exception):
    """Something that did not come.

    Attributes:
        outcome: one of OUTCOMES. reason: a short fixed name. detail: what was there, for a person.
        again: whether it may come if it is asked for again.
        after: seconds to wait before, if the service said so.
    """

    def __init__(self, outcome: str, reason: str, detail: str, *, again: bool = False, after: float | None = None):
        super().__init__(f"{outcome}: {reason}: {detail}")
        self.outcome, self.reason, self.detail, self.again, self.after = outcome, reason, detail, again, after
