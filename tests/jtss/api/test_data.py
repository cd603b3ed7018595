"""A data set by its path says what is in it."""

import numpy as np
import pytest

import jtss
from helpers import made_shards
from helpers.made_runs import SPLIT, write_data
from jtss.errors import InputError


def test_a_data_set_is_read_when_it_is_asked(tmp_path):
    write_data(tmp_path / "made.h5")
    data = jtss.open_dataset(tmp_path / "made.h5")
    assert (len(data), data.attrs["survey"]) == (len(SPLIT), "made")
    assert repr(data) == f"<Dataset {tmp_path / 'made.h5'}: {len(SPLIT)} objects, made>"
    assert np.concatenate([batch.split for batch in data.batches()]).tolist() == list(SPLIT)


def test_a_data_set_of_many_files_is_one(tmp_path):
    one, many = map(jtss.open_dataset, made_shards.divided(tmp_path))
    names = [np.concatenate([batch.object_id for batch in data.batches()]) for data in (one, many)]
    assert len(many) == len(one) == len(names[0])
    assert list(names[0]) != list(names[1])
    assert sorted(names[0]) == sorted(names[1])


def test_a_simulated_survey_is_packets_or_a_data_set(tmp_path):
    folder = jtss.simulate(3, 2, out=tmp_path / "alerts", classes="AGN,SN,VS")
    assert {"alerts", "labels.csv", "allwise.csv"} <= {path.name for path in folder.iterdir()}
    data = jtss.simulate(12, out=tmp_path / "sky.h5", classes=["SN", "VS"])
    assert len(data) == 12
    assert data.attrs["command"].endswith("--objects 12 --seed 0 --classes SN,VS --sky paper --out " + str(data.path))
    with pytest.raises(InputError, match="add force=True to replace it"):
        jtss.simulate(12, out=data.path)
