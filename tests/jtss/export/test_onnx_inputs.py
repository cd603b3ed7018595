"""What comes before the network, in ONNX Runtime against jtss's own functions."""

import jax
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.packets.stamps import scale
from helpers.made_exported import NUMBERS, OF_ONE, OF_THREE, alerts, model
from jtss.export import onnx_inputs, samples
from jtss.export.columns import of_model
from jtss.export.graph import Graph, Tensor
from jtss.network.inputs import examples, source_crops, standardised
from jtss.network.rotation import copy_angles, rotated_copies


def run(graph, value, width, inputs):
    """What becomes of inputs."""
    tensors = [Tensor(name, ("batch", *array.shape[1:])) for name, array in inputs.items()]
    content = graph.to_model("made", tensors, {value: Tensor("y", ("rows", *width))}, metadata={})
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def crops_of(config, stamps, layout="NHWC"):
    graph, side = Graph(), config.stamp.source_side
    value = onnx_inputs.crops(graph, config, onnx_inputs.images(graph, config, layout))
    return np.moveaxis(run(graph, value, (len(config.stamp.channels), side, side), {"stamps": stamps}), 1, -1)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_crops_of_raw_pixels_are_those_of_a_data_set(seed):
    """Of any brightness, with NaN borders, fill values, empty and flat images; to the last bit."""
    rng = np.random.default_rng(seed)
    pixels = (rng.normal(size=(6, 63, 63, 3)) * 10 ** rng.uniform(-3, 4) + rng.normal() * 1000).astype(np.float32)
    pixels[0, :, : rng.integers(0, 64)] = np.nan
    pixels[1, :20, :, 1] = 3e31
    pixels[2, 40:] = -np.inf
    pixels[3] = np.nan
    pixels[4] = 5
    pixels[5, 0, 0] = 1e8  # beyond the crop: little is left of its contrast
    stored = scale(pixels).astype(np.float16)
    expected = source_crops(stored, OF_ONE.stamp).astype(np.float16)
    np.testing.assert_array_equal(crops_of(OF_ONE, pixels), expected)


@pytest.mark.parametrize("unit", [1e-44, 1e-40, 1e-30, 2.0**-60, 1e-10, 1e29])
def test_stamps_may_be_in_any_unit(unit):
    """Also where a remainder of a division would be too small a number."""
    pixels = (np.random.default_rng(2).uniform(0, 9, (4, 63, 63, 3)) * unit).astype(np.float32)
    pixels[3, :9] = np.nan
    expected = source_crops(scale(pixels).astype(np.float16), OF_ONE.stamp).astype(np.float16)
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(crops_of(OF_ONE, pixels), expected)


def test_channels_that_are_not_read_are_left_out_and_may_come_first():
    stamps = alerts().stamps.astype(np.float32)
    expected = source_crops(stamps, OF_THREE.stamp).astype(np.float16)
    assert expected.shape[-1] == 2
    np.testing.assert_array_equal(crops_of(OF_THREE, stamps), expected)
    first = np.ascontiguousarray(np.moveaxis(stamps, -1, 1))
    np.testing.assert_array_equal(crops_of(OF_THREE, first, "NCHW"), expected)


@pytest.mark.parametrize("config", [OF_ONE, OF_THREE], ids=["angles of 120 deg", "half a turn"])
def test_copies_are_those_of_the_network(config):
    side, crop, n = config.stamp.source_side, config.stamp.crop, len(config.stamp.channels)
    stamps = np.random.default_rng(1).random((3, side, side, n), np.float32)
    graph = Graph()
    value = onnx_inputs.copies(graph, config, "crops")
    turned = run(graph, value, (n, crop, crop), {"crops": np.ascontiguousarray(np.moveaxis(stamps, -1, 1))})
    angles = copy_angles(None, config.stamp.copies, 0)
    expected = jax.jit(jax.vmap(lambda stamp: rotated_copies(stamp, angles, crop)))(stamps)
    expected = np.moveaxis(np.asarray(expected).reshape(-1, crop, crop, n), -1, 1)
    np.testing.assert_allclose(turned, expected, atol=3e-7)  # other additions of four numbers below 1


@pytest.mark.parametrize("config", [OF_ONE, OF_THREE, NUMBERS], ids=["one", "three", "numbers"])
@pytest.mark.parametrize("seed", range(3))
def test_metadata_are_standardised_as_by_jtss(config, seed):
    """Missing, beyond the training range, ZTF's code for missing, counts of 0."""
    made, sequences = model(config), alerts([3, 3, 5, 4] * 5, seed)
    expected = standardised(examples(sequences, config), made.statistics)
    _, raw = samples.raw_inputs(sequences, config)
    raw.pop("stamps", None)
    for place, group in enumerate(("dynamic", "static")):
        names, graph = getattr(config.metadata, group), Graph()
        value = onnx_inputs.metadata(graph, config, of_model(config, made.statistics))[place]
        if not names:
            assert value == ""
            continue
        found = run(graph, value, (len(names),), raw)
        np.testing.assert_allclose(found, getattr(expected, group).reshape(-1, len(names)), rtol=1e-6, atol=2e-6)


def test_minus_999_is_missing_where_the_catalogue_says_so():
    made, sequences = model(OF_ONE), alerts([1] * 4)
    _, raw = samples.raw_inputs(sequences, OF_ONE)
    found = []
    for code in (np.nan, -999):
        graph, given = Graph(), {"metadata": np.full_like(raw["metadata"], code)}
        value = onnx_inputs.metadata(graph, OF_ONE, of_model(OF_ONE, made.statistics))[1]
        found.append(run(graph, value, (len(OF_ONE.metadata.static),), given))
    of_code = OF_ONE.metadata.static.index("distpsnr2")  # a lower limit of -1 takes it
    np.testing.assert_array_equal(np.delete(found[0], of_code, axis=1), np.delete(found[1], of_code, axis=1))
    assert (found[0][:, of_code] != found[1][:, of_code]).all()
