"""Configurations take changes, and a survey that was simulated trains a model."""

import re
from dataclasses import replace

import pytest

import jtss


def test_configurations_take_changes():
    config = jtss.get_config("demo", training={"iterations": 50}, classes=["AGN", "SN"])
    assert (config.training.iterations, config.classes) == (50, ("AGN", "SN"))
    assert replace(config, training=replace(config.training, iterations=25)).name == "demo"


@pytest.mark.slow
def test_a_simulated_survey_trains_a_model(tmp_path):
    data = jtss.simulate(60, 1, out=tmp_path / "sky.h5")
    changes = {"encoder": {"filters": [2] * 5, "units": [4]}, "stamp": {"copies": 1}}
    config = jtss.get_config("demo", training={"iterations": 2, "validate_every": 1, "batch_size": 4}, **changes)
    model = jtss.train(config, data, tmp_path / "run", seeds=2)
    assert len(model.trained.members) == 2
    alerts = jtss.simulate(3, 2, out=tmp_path / "alerts", classes=["AGN", "SN", "VS"])
    table = model.classify(alerts / "alerts", allwise=alerts / "allwise.csv")
    assert len(table) == 3
    assert re.fullmatch(r"[0-3] of 3 objects matched", table.meta["allwise"])
