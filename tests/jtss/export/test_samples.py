"""Objects as an exported file takes them."""

import numpy as np
import pytest

from data_prep.packets.stamps import scale
from helpers.made_exported import NUMBERS, OF_ONE, OF_PACKETS, OF_THREE, alerts, of_packets, packets
from jtss import views
from jtss.export import samples, signature
from jtss.inference import packets as inference
from jtss.schema import METADATA_NAMES, TOLD_NAMES

CONFIGS = {"one": OF_ONE, "three": OF_THREE, "numbers": NUMBERS}


@pytest.mark.parametrize("layout", signature.LAYOUTS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_raw_inputs_have_the_shapes_that_are_told(config, layout):
    index, raw = samples.raw_inputs(alerts([3, 1, 4]), config, layout)
    assert len(index) == (3 if config is OF_ONE else 2)
    for each in signature.inputs_of(config, layout):
        assert raw[each.name].shape == (len(index), *each.shape)
        assert raw[each.name].dtype == np.float32


def test_times_are_differences():
    _, raw = samples.raw_inputs(alerts([3, 3]), OF_THREE)
    np.testing.assert_array_equal(raw["time_gap"], [[0, 1, 1]] * 2)


def test_raw_stamps_are_no_scaled_ones_and_become_what_jtss_reads():
    """Each image has a level and range of its own; jtss's are those that `data_prep` makes of them."""
    made = alerts([2, 3])
    scaled, raw = samples.as_decoded(made, 3)
    assert raw.dtype == np.float32
    assert (np.nanmax(np.abs(raw[2:]), axis=(1, 2)) > 2).all()
    np.testing.assert_array_equal(scaled.stamps, scale(raw).astype(np.float16))
    np.testing.assert_array_equal(np.isnan(raw), np.isnan(made.stamps))
    np.testing.assert_allclose(scaled.stamps[2:], made.stamps[2:], atol=3e-3)
    _, given = samples.raw_inputs(scaled, OF_ONE, pixels=raw)
    np.testing.assert_array_equal(given["stamps"][0], raw[0])


def test_a_history_ends_with_the_row_before_the_alert():
    made = packets([2, 1])
    index, raw = samples.raw_inputs(made, OF_PACKETS)
    np.testing.assert_array_equal(index, [0, 0, 1])
    assert raw["history"].shape[1] % 4 == 3, "with the alert as many as jtss reads"
    chosen = views.packet(made, np.array([0]), np.array([1]))
    n = len(chosen.jd) - 1
    assert n > 3
    told = raw["history"][1, -n:]
    np.testing.assert_allclose(told[:, 0], chosen.jd[:-1] - chosen.jd[-1], rtol=1e-6)
    np.testing.assert_array_equal(told[:, 1], chosen.fid[:-1])
    np.testing.assert_array_equal(
        told[:, 2:], chosen.metadata[:-1, [METADATA_NAMES.index(name) for name in TOLD_NAMES]]
    )
    assert np.isnan(raw["history"][1, :-n]).all()
    np.testing.assert_array_equal(raw["metadata"][1], chosen.metadata[-1])


def test_answers_to_packets_are_those_of_classify():
    """Calibrated; the most probable subclass has its share of the class."""
    made, sequences = signature.exportable(of_packets()), packets()
    expected = inference.answers(made, sequences, lambda values: samples.calibration.scaled(values, made.temperature))
    index, given = samples.answers(made, sequences)
    np.testing.assert_array_equal(index, expected.object)
    np.testing.assert_array_equal(given["probabilities"], expected.probabilities)
    np.testing.assert_array_equal(given["outlier"], expected.outlier)
    names = np.array(made.config.subclasses, object)
    column = made.config.classes.index("SN")
    best = np.array([np.flatnonzero(names == name)[0] for name in expected.subclass[:, column]])
    np.testing.assert_allclose(
        given["subclasses"][np.arange(len(best)), best],
        expected.subclass_share[:, column] * expected.probabilities[:, column],
        rtol=1e-6,
    )
