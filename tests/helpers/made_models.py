"""A model that ships, made of an untrained run, for tests."""

from pathlib import Path

import pytest

from helpers.made_runs import TINY, make_run, write_data
from jtss.reports import assessment, evaluation, export


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
