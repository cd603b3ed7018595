"""`python -m data_prep build | simulate | inspect | compare | audit`: as `jtss data` and `jtss audit`."""

import sys

from jtss import exits, invocation
from jtss.commands import common
from jtss.commands import main as verbs

WORDS = ("python", "-m", "data_prep")


def main(arguments: list[str] | None = None) -> int:
    """Run the verb `data`, or `audit`; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    invocation.called_as("data", *WORDS)
    invocation.called_as("audit", *WORDS, "audit")
    if arguments[:1] == ["audit"]:
        return verbs.main(arguments[1:], verb="audit", prog=" ".join([*WORDS, "audit"]))
    return verbs.main(arguments, verb="data", prog=" ".join(WORDS))


if __name__ == "__main__":
    common.outlive_readers()
    common.heed_signals()
    exits.end(main())
