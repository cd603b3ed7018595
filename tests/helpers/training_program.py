"""train.py in a process of its own, and a small data file for it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences, with_histories
from helpers.places import ROOT
from jtss.dataset import Writer


def command(*arguments) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *map(str, arguments)]


@pytest.fixture(scope="module")
def data_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "made.h5"
    n = 36
    made = sequences([3] * n, label=np.arange(n) % 3, split=np.arange(n) // 3 % 3)
    with Writer(path, survey="test", command="test") as writer:
        writer.append(with_histories(made))
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path
