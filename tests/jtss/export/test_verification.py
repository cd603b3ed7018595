"""An exported file that is not its model is found out."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax import export

from helpers.made_exported import OF_ONE, alerts, model
from jtss.errors import InputError
from jtss.export import golden, onnx_file, signature, stablehlo, verification
from jtss.inference.predict import BATCH_SIZE


@pytest.fixture(scope="module")
def made():
    return signature.exportable(model(OF_ONE))


def test_a_file_of_the_model_passes(made):
    run = verification.of_onnx(onnx_file.to_bytes(made, "NHWC", {}))
    comparison = verification.compare(run, made, [alerts([1] * (BATCH_SIZE + 3)), alerts([2])], "NHWC")
    assert comparison.n_objects == BATCH_SIZE + 4
    assert comparison.apart < 2e-6
    verification.require_same(comparison, made, "here")


def test_openvino_leaves_nothing_out(made):
    """It multiplies by reciprocals; a single pixel that is another float16 would be seen."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    run = verification.of_openvino(onnx_file.to_bytes(made, "NHWC", {}), made)
    comparison = verification.compare(run, made, [alerts([1] * BATCH_SIZE)], "NHWC")
    assert comparison.n_objects == BATCH_SIZE
    assert comparison.apart < 2e-6


def test_batches_of_stablehlo_are_of_one_size(made, monkeypatch):
    """So that one program is compiled; what fills them up is not given back, and each part is told of."""
    content, sizes, told = stablehlo.to_bytes(made), [], []
    deserialize = export.deserialize

    def spied(content):
        call = deserialize(content).call
        return SimpleNamespace(call=lambda *arrays: sizes.append(len(arrays[0])) or call(*arrays))

    monkeypatch.setattr(export, "deserialize", spied)
    run, objects = verification.of_stablehlo(content, made), alerts([1] * (BATCH_SIZE + 3))
    comparison = verification.compare(run, made, [objects], "NHWC", told.append)
    assert comparison.n_objects == BATCH_SIZE + 3
    assert comparison.apart == 0
    assert told == [BATCH_SIZE, 3]
    assert set(sizes) == {BATCH_SIZE}


def test_an_altered_constant_is_found(made):
    """One bias among thousands of weights, by a thousandth."""
    (member,) = made.members
    variables = jax.tree.map(np.copy, member.variables)
    variables["params"]["head"]["logits"]["bias"][2] += 1e-3
    other = replace(made, members=(member._replace(variables=variables),))
    run = verification.of_onnx(onnx_file.to_bytes(other, "NHWC", {}))
    comparison = verification.compare(run, made, [alerts([1] * 5)], "NHWC")
    assert 1e-5 < comparison.apart < 1e-3
    with pytest.raises(InputError, match=r"here: answers to ZTF\d differ by .* from those of made"):
        verification.require_same(comparison, made, "here")
    with pytest.raises(InputError, match="golden vectors differ by"):
        verification.require_golden(run, golden.make(made, alerts([1] * 3), "NHWC"))


def test_no_number_is_no_answer(made):
    comparison = verification.compare(
        lambda inputs: {"probabilities": np.full((5, 5), np.nan)}, made, [alerts([1] * 5)], "NHWC"
    )
    assert comparison.apart == np.inf


def test_nothing_to_compare_is_an_error(made):
    comparison = verification.compare(lambda inputs: None, made, [], "NHWC")
    with pytest.raises(InputError, match="there: no object has the 1 alerts that made reads"):
        verification.require_same(comparison, made, "there")
