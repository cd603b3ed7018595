"""`python -m jtss.models`: as `jtss models`."""

import sys

from jtss.commands.main import program

if __name__ == "__main__":
    sys.exit(program(verb="models", prog="python -m jtss.models"))
