"""`python -m jtss.models`: as `jtss models`."""

import sys

from jtss import invocation
from jtss.commands.main import program

if __name__ == "__main__":
    invocation.called_as("models", "python", "-m", "jtss.models")
    sys.exit(program(verb="models", prog="python -m jtss.models"))
