"""A model that ships, made of an untrained run, for tests."""

from pathlib import Path

import pytest

from helpers.made_explained import TINY as OF_PACKETS
from helpers.made_runs import TINY, make_run, write_data
from jtss.reports import assessment, evaluation, export

N_OF_PACKETS = 60  # objects, of five classes; the last 30 are of the validation split


def run_of_packets(folder: Path) -> Path:
    """`folder` with a data set and the run directory of a model of packets."""
    n, half = N_OF_PACKETS, N_OF_PACKETS // 2
    objects = {"label": [i % 5 for i in range(n)], "split": [0] * half + [1] * half}
    write_data(folder / "made.h5", [1, 2, 3] * (n // 3), **objects)
    make_run(folder / "run", OF_PACKETS, folder / "made.h5", certainty=0.05)
    return folder


def made_model(folder: Path, name: str) -> Path:
    """`folder` with a data set, a run directory, its report on the test split, and in files/ the model made of both."""
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    request = assessment.Request(None, "test", None, f"python evaluate.py --ckpt {folder}/run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "N_ERRORS_SHOWN", 0)  # to draw one takes a while
        assessment.assess(folder / "run", request, None, lambda _: None)
    export.export(folder / "run", name, folder / "files", reports=[folder / "run" / "evaluation" / "report.json"])
    return folder
