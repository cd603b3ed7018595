"""Packets as StableHLO against jtss."""

import numpy as np
import pytest

from helpers.made_exported import ATTENTIVE, OF_PACKETS, of_packets, packets
from jtss.export import samples, signature, stablehlo, verification


@pytest.mark.parametrize("config", [OF_PACKETS, ATTENTIVE], ids=["gru", "attention"])
def test_all_outputs_are_those_of_jtss(config):
    made, sequences = signature.exportable(of_packets(config)), packets()
    _, raw = samples.raw_inputs(sequences, made.config, "NCHW")
    _, expected = samples.answers(made, sequences)
    run = verification.of_stablehlo(stablehlo.to_bytes(made, "NCHW"), made)
    found = run(raw)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)
    raw["metadata"][0, 5] = np.nan
    missing = run(raw)
    raw["metadata"][0, 5] = np.inf
    for name, values in run(raw).items():
        np.testing.assert_array_equal(values, missing[name], err_msg=name)


def test_a_filter_that_is_not_given_is_that_of_another_that_is_not():
    made, sequences = signature.exportable(of_packets(OF_PACKETS)), packets()
    _, raw = samples.raw_inputs(sequences, made.config, "NCHW")
    run = verification.of_stablehlo(stablehlo.to_bytes(made, "NCHW"), made)
    raw["history"][..., signature.HISTORY_COLUMNS.index(signature.FID)] = 0
    expected = run(raw)
    raw["history"][..., signature.HISTORY_COLUMNS.index(signature.FID)] = np.nan
    for name, values in run(raw).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
