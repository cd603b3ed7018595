"""Models of packets in ONNX Runtime against jtss."""

import numpy as np
import onnx
import onnxruntime
import pytest

from helpers.made_exported import ATTENTIVE, OF_PACKETS, of_packets, packets
from jtss.config import settings
from jtss.export import onnx_file, samples, signature

BLIND = settings.override(OF_PACKETS, ["stamp.channels=", "hide.stamps=0"])
CONFIGS = {"gru": OF_PACKETS, "attention": ATTENTIVE, "no images": BLIND}


def of_onnx(made, layout="NHWC"):
    session = onnxruntime.InferenceSession(onnx_file.to_bytes(made, layout, {}), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def same(found, expected, atol=3e-6):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=atol, err_msg=name)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_all_outputs_are_those_of_jtss(config):
    made, sequences = signature.exportable(of_packets(config)), packets()
    _, raw = samples.raw_inputs(sequences, made.config)
    _, expected = samples.answers(made, sequences)
    same(of_onnx(made)(raw), expected)
    assert np.ptp(expected["probabilities"], axis=0).max() > 0.01, "or every answer would do"
    assert np.ptp(expected["outlier"]) > 0.01


@pytest.fixture(scope="module")
def run():
    return of_onnx(signature.exportable(of_packets()), "NCHW")


@pytest.fixture(scope="module")
def raw():
    return samples.raw_inputs(packets(), OF_PACKETS, "NCHW")[1]


def test_rows_that_are_none_may_stand_in_front_or_behind(run, raw):
    """And what else stands in them does not matter."""
    expected, history = run(raw), raw["history"]
    nothing = np.full((len(history), 1, history.shape[-1]), np.nan, np.float32)
    nothing[..., 5] = 18
    for other in ([history, nothing], [nothing, history]):
        same(run(raw | {"history": np.concatenate(other, axis=1)}), expected, atol=1e-6)


def test_a_packet_alone_without_any_row(run, raw):
    one = {name: values[:1] for name, values in raw.items()}
    none = run(one | {"history": np.full_like(one["history"], np.nan)})
    same(run(one | {"history": one["history"][:, :0]}), none, atol=1e-6)
    assert np.abs(none["probabilities"] - run(one)["probabilities"]).max() > 1e-5


@pytest.mark.parametrize("days", [-30.5, 0, 0.5])
def test_rows_out_of_the_month_before_the_alert_are_none(run, raw, days):
    expected, history = run(raw), raw["history"]
    other = history[:, -1:].copy()
    other[..., 0], other[..., 5] = days, 18.0
    order = (other, history) if days < 0 else (history, other)
    same(run(raw | {"history": np.concatenate(order, axis=1)}), expected, atol=1e-6)


def test_what_is_infinite_is_missing(run, raw):
    """In metadata, in histories and in AllWISE magnitudes, as jtss takes no such number from a packet."""
    for name, place in (("metadata", 5), ("metadata", 23), ("allwise", 1), ("history", 4)):
        both = []
        for value in (np.nan, np.inf, -np.inf):
            values = raw[name].copy()
            values[..., place] = value
            both.append(run(raw | {name: values}))
        for one in both[1:]:
            same(one, both[0], atol=0)


def test_every_input_counts(run, raw):
    before = run(raw)["probabilities"]
    others = {name: np.roll(values, 1, axis=0) for name, values in raw.items()}
    for name in raw:
        assert np.abs(run(raw | {name: others[name]})["probabilities"] - before).max() > 1e-5, name


def test_no_comparison_is_true_of_nan_in_any_runtime():
    """OpenVINO takes Greater for the opposite of LessOrEqual."""
    loaded = onnx.load_from_string(onnx_file.to_bytes(of_packets(), "NHWC", {}))
    assert not {"Greater", "GreaterOrEqual", "Not", "IsNaN"} & {node.op_type for node in loaded.graph.node}
