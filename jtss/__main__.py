"""`python -m jtss VERB`: as `jtss VERB`."""

import sys

from jtss.commands.main import program

if __name__ == "__main__":
    sys.exit(program(prog="python -m jtss"))
