"""`python -m jtss.audit`: as `jtss audit`."""

import sys

from jtss.commands.main import program

if __name__ == "__main__":
    sys.exit(program(verb="audit", prog="python -m jtss.audit"))
