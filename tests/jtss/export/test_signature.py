"""What an exported model takes."""

import numpy as np
import pytest

from helpers.made_explained import TINY as OF_PACKETS
from helpers.made_exported import NUMBERS, OF_ONE, OF_THREE, alerts, model
from jtss.errors import InputError
from jtss.export import signature


def test_only_what_is_read_is_taken():
    taken = {name: [each.name for each in signature.inputs_of(config)] for name, config in CONFIGS.items()}
    assert taken == {
        "one": ["stamps", "metadata"],
        "three": ["stamps", "metadata", "time_gap", "allwise"],
        "numbers": ["metadata", "time_gap", "allwise"],
    }
    assert signature.columns_read(OF_ONE) == ("ncovhist", "magpsf", "distpsnr2")


CONFIGS = {"one": OF_ONE, "three": OF_THREE, "numbers": NUMBERS}


@pytest.mark.parametrize("layout", signature.LAYOUTS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_raw_inputs_have_the_shapes_that_are_told(config, layout):
    index, raw = signature.raw_inputs(alerts([3, 1, 4]), config, layout)
    assert len(index) == (3 if config is OF_ONE else 2)
    for each in signature.inputs_of(config, layout):
        assert raw[each.name].shape == (len(index), *each.shape)
        assert raw[each.name].dtype == np.float32


def test_times_are_differences():
    _, raw = signature.raw_inputs(alerts([3, 3]), OF_THREE)
    np.testing.assert_array_equal(raw["time_gap"], [[0, 1, 1]] * 2)


def test_a_model_of_packets_is_refused_by_name():
    with pytest.raises(InputError, match="made: reads the rows of a packet's past"):
        signature.exportable(model(OF_THREE).__class__("made", OF_PACKETS, None, (), {}))


def test_exported_models_calculate_in_float32():
    assert signature.exportable(model(OF_ONE)).config.precision == "float32"
