"""`python -m jtss.audit`: as `jtss audit`."""

import sys

from jtss import invocation
from jtss.commands.main import program

if __name__ == "__main__":
    invocation.called_as("audit", "python", "-m", "jtss.audit")
    sys.exit(program(verb="audit", prog="python -m jtss.audit"))
