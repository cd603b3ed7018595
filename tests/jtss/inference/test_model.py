"""A trained model, its version, and the skies that it must not be tested on."""

from pathlib import Path

import pytest

from jtss.config import named
from jtss.errors import InputError
from jtss.inference import model
from jtss.inference.model import Model, refuse_own_sky, simulated_sky

TRAINED_ON = "python -m data_prep simulate --objects 150000 --seed 31 --classes AGN,SN --out sky.h5"


@pytest.fixture
def trained() -> Model:
    provenance = {
        "data": "sky.h5",
        "data_hash": "31",
        "training_data": {"command": TRAINED_ON},
        "started": "2026-01-02T03:04:05+0000",
        "versions": {"jtss": "0.1.0"},
    }
    outcome = model.Outcome(400, 400, 300, 0.5, 0.9)
    return Model("made", named.get("demo"), None, (model.Member(0, {}, outcome),), provenance)


@pytest.mark.parametrize(
    "command",
    [
        "jtss data simulate --objects 1000 --seed 31 --out other.h5",
        "python -m data_prep simulate --seed=31 --objects=150000 --out s.h5",  # other classes
        TRAINED_ON + " --sky any",
    ],
)
def test_another_data_set_of_the_same_seed_is_refused(trained, command):
    with pytest.raises(InputError, match=r"s.h5: simulated with the seed 31, .*another --seed"):
        refuse_own_sky(trained, Path("s.h5"), command)


@pytest.mark.parametrize(
    "command",
    [
        TRAINED_ON.replace("sky.h5", "elsewhere.h5 --workers 2"),  # the same objects in the same splits
        "jtss data simulate --objects 150000 --seed 32 --classes AGN,SN --out other.h5",
        "jtss data build --alerts night.tar --seed 31 --out real.h5",
    ],
)
def test_data_whose_test_objects_are_new_are_not(trained, command):
    refuse_own_sky(trained, Path("s.h5"), command)


def test_defaults_of_the_simulation_count():
    assert simulated_sky("jtss data simulate --out a.h5") == {
        "--objects": "6000",
        "--seed": "0",
        "--classes": "AGN,SN,VS",
        "--sky": "paper",
    }
    assert simulated_sky("jtss data build --out a.h5") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("n1_baseline", "images and metadata"),
        ("n3_metadata", "metadata"),
        ("n3_conv1d_images", "images"),  # and the time between detections
    ],
)
def test_what_a_model_reads(name, words):
    assert model.reads(named.get(name)) == words


def test_the_version_says_what_was_trained_when_and_which_step_is_kept(trained):
    assert model.version(trained) == "0.1.0+20260102T030405.s300"
