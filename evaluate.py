"""Evaluate a model, classify alerts or explain: `python evaluate.py --ckpt RUN`; see `jtss.commands.script`."""

import sys

from jtss import invocation
from jtss.commands.main import program

if __name__ == "__main__":
    invocation.called_as("script", "python", sys.argv[0])
    sys.exit(program(verb="script", prog="evaluate.py"))
