"""One `except` catches all bad input."""

import importlib

import pytest

from jtss.errors import InputError

BAD_INPUT = (
    "jtss.config.settings.ConfigError",
    "jtss.dataset.DataError",
    "jtss.inference.other_classifiers.PredictionsError",
    "jtss.paper.grids.ChoiceError",
    "jtss.pretrained.file.ModelError",
    "jtss.runs.ensemble.EnsembleError",
    "jtss.runs.states.RunError",
)


@pytest.mark.parametrize("name", BAD_INPUT)
def test_every_room_reports_bad_input_in_one_family(name):
    module, _, error = name.rpartition(".")
    found = getattr(importlib.import_module(module), error)
    assert issubclass(found, InputError)
    with pytest.raises(InputError, match=r"a\.h5: damaged"):
        raise found("a.h5: damaged")


def test_the_family_is_one_of_values():
    assert issubclass(InputError, ValueError)
