"""Train a classifier: `python train.py --config n3_conv1d [--data F.h5]`; the same as `jtss train`."""

import sys
from pathlib import Path

from jtss import invocation
from jtss.commands.main import program

if __name__ == "__main__":
    invocation.called_as("train", "python", sys.argv[0])
    invocation.called_as("evaluate", "python", str(Path(sys.argv[0]).with_name("evaluate.py")), "--ckpt")
    invocation.called_as("data", "python", "-m", "data_prep")
    program(verb="train", prog="train.py")
