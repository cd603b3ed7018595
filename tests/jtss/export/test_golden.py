"""Golden vectors."""

import numpy as np
import pytest

from helpers.made_exported import OF_ONE, OF_THREE, alerts, model
from jtss.errors import InputError
from jtss.export import golden, onnx_file, signature, verification


def test_a_file_reproduces_its_golden_vectors():
    made = signature.exportable(model(OF_ONE))
    text = golden.make(made, alerts([1, 2, 1, 1]), "NCHW")
    inputs, given = golden.read(text)
    probabilities = given["probabilities"]
    assert inputs["stamps"].shape == (3, 3, 63, 63)
    assert inputs["stamps"].dtype == np.float32
    assert np.isnan(inputs["stamps"][-1, :, :, : golden.CUT_PIX]).all(), "the last at the edge of an image"
    assert np.nanmax(inputs["stamps"]) == golden.GREYS - 1
    assert np.isnan(inputs["metadata"][-1]).any()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    run = verification.of_onnx(onnx_file.to_bytes(made, "NCHW", {}))
    np.testing.assert_allclose(run(inputs)["probabilities"], probabilities, atol=2e-6)


def test_objects_with_too_few_alerts_make_none():
    with pytest.raises(InputError, match="no object has 3 alerts"):
        golden.make(signature.exportable(model(OF_THREE)), alerts([1, 2]), "NHWC")
