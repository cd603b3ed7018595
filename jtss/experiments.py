"""`python -m jtss.experiments table2 | … | realism`: as `jtss paper` and `jtss realism`."""

import sys

from jtss import invocation
from jtss.commands.main import program

PROGRAM = "python -m jtss.experiments"

if __name__ == "__main__":
    invocation.called_as("paper", *PROGRAM.split())
    invocation.called_as("realism", *PROGRAM.split(), "realism")
    if sys.argv[1:2] == ["realism"]:
        sys.exit(program(sys.argv[2:], verb="realism", prog=f"{PROGRAM} realism"))
    sys.exit(program(verb="paper", prog=PROGRAM))
