"""Evaluate a model, classify alerts or explain: `python evaluate.py --ckpt RUN`; see `jtss.commands.script`."""

import sys

from jtss import invocation
from jtss.commands.main import main

if __name__ == "__main__":
    invocation.called_as("script", "python", sys.argv[0])
    sys.exit(main(verb="script", prog="evaluate.py"))
