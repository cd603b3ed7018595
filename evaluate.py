"""Evaluate a model, classify alerts or explain: `python evaluate.py --ckpt RUN`; see `jtss.commands.script`."""

import sys
from pathlib import Path

from jtss import invocation
from jtss.commands.main import program

if __name__ == "__main__":
    invocation.called_as("script", "python", sys.argv[0])
    invocation.called_as("train", "python", str(Path(sys.argv[0]).with_name("train.py")))
    invocation.called_as("models", "python", "-m", "jtss.models")
    program(verb="script", prog="evaluate.py")
