"""The notebook of the documentation runs, and what is stored with it is what comes of running it."""

import copy
import json

import nbclient
import nbformat
import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT

PATH = ROOT / "docs" / "notebooks" / "classify.ipynb"


def kinds(cells: list[dict]) -> list[list[tuple]]:
    """For each code cell the kinds of its outputs, as ("display_data", ("image/png", "text/plain"))."""
    outputs = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    return [[(of["output_type"], tuple(sorted(of.get("data", ())))) for of in some] for some in outputs]


def test_it_is_stored_as_it_was_executed_and_tells_no_paths():
    text = PATH.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(of.get("name") != "stderr" and of["output_type"] != "error" for cell in code for of in cell["outputs"])
    assert sum("image/png" in of[1] for some in kinds(cells) for of in some) == 3
    assert not [word for word in ("/tmp", "/home", "/work", "/root") if word in text]


@pytest.mark.slow
def test_it_runs_and_shows_the_same(tmp_path, monkeypatch):
    stored = nbformat.read(PATH, as_version=4)
    again = copy.deepcopy(stored)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    for name, value in (ENVIRONMENT | {"PYTHONPATH": str(ROOT)}).items():
        monkeypatch.setenv(name, value)
    nbclient.NotebookClient(again, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert kinds(again.cells) == kinds(stored.cells)
    assert classes(again.cells) == classes(stored.cells)


def classes(cells: list[dict]) -> list[list[str]]:
    """Object and class of each row that the notebook shows, without the numbers, whose last digits may differ."""
    texts = [of["data"]["text/plain"] for cell in cells for of in cell.get("outputs", ()) if "data" in of]
    rows = [line.split() for text in texts for line in text.splitlines() if "SIM0" in line]
    return [[word for word in row if word in ("AGN", "SN", "VS") or word.startswith("SIM")] for row in rows]
