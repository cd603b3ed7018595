"""The script on a data set of many files: the numbers of one file of its objects in its order."""

import json

import numpy as np
import pytest

from helpers.made_runs import TINY, make_run
from helpers.made_sequences import COLUMN, sequences
from helpers.made_shards import copy, divided


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set as one file and as many, and a run that claims to be trained on it."""
    folder = tmp_path_factory.mktemp("shards")
    made = sequences([3] * 24, label=[i % 3 for i in range(24)], split=[2] * 15 + [0] * 9)
    made.metadata[:, COLUMN["ra"]] = 15.0 * np.repeat(np.arange(24)[::-1], 3)
    _, many = divided(folder, made=made)
    make_run(folder / "run", TINY, many)
    copy(many, folder / "copy.h5")
    return folder


def test_it_is_evaluated_as_one(evaluate, folder, tmp_path):
    found = []
    for name in ("many", "copy.h5"):
        status, _, _ = evaluate("--data", folder / name, "--out", tmp_path / name)
        assert status == 0
        found.append(json.loads((tmp_path / name / "report.json").read_text()))
    assert found[0]["results"] == found[1]["results"]
    assert found[0]["data"]["objects"]["evaluated"] == 15
    assert [one["data"]["is_training_file"] for one in found] == [True, True]


def test_given_as_alerts_it_is_refused_as_a_file_is(evaluate, folder, tmp_path):
    status, _, err = evaluate("--alerts", folder / "many", "--out", tmp_path / "table.csv")
    assert status == 2
    assert f"{folder / 'many'}: no alert packet in it (a data set is for evaluation)" in err
    assert not (tmp_path / "table.csv").exists()
