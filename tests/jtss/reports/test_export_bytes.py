"""What is exported, byte for byte."""

import time

import pytest

from helpers.made_models import made_model
from jtss.reports import export

HERE = "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("models"), HERE)


def test_the_same_run_makes_the_same_bytes(folder, tmp_path):
    time.sleep(1.1)  # HDF5 counts in seconds
    report = folder / "run" / "evaluation" / "report.json"
    export.export(folder / "run", HERE, tmp_path, reports=[report])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["SHA256SUMS", "tiny.h5", "tiny.md"]
    assert all((tmp_path / name).read_bytes() == (folder / "files" / name).read_bytes() for name in names)
