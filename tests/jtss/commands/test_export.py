"""`jtss export`."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from data_prep.ledger import Ledger
from helpers.made_exported import OF_ONE, OF_THREE, alerts, model
from helpers.programs import jtss
from jtss.commands import export
from jtss.dataset import Writer
from jtss.export import golden, onnx_network, verification
from jtss.pretrained import load


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A function that exports a small model to out.onnx or out.stablehlo; returns exit status, stdout and stderr."""
    made = {"one": model(OF_ONE), "three": model(OF_THREE), "bare": model(OF_ONE, temperature=None)}
    monkeypatch.setattr(load, "load_model", lambda path: made[str(path)])
    monkeypatch.setattr(export, "N_SIMULATED", 5)
    monkeypatch.setattr(export, "_simulated", lambda n_objects, seed: alerts([3] * 5, seed))

    def do(*words, name="one", kind="onnx"):
        status = jtss("export", name, "--format", kind, "--out", str(tmp_path / f"out.{kind}"), *map(str, words))
        return status, *capsys.readouterr()

    return do


def test_a_verified_file_answers_and_says_what_it_takes(call, tmp_path):
    made = replace(alerts([3] * 7), split=np.array([2, 0, 2, 2, -1, 2, 0], np.int8))
    with Writer(tmp_path / "made.h5", survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    status, out, err = call("--verify", "--data", tmp_path / "made.h5", "--split", "test", name="three")
    assert status == 0
    assert "verify: 100%" in err, "it takes a while"
    assert "5 compared, answers differ by" in out
    assert "made.h5 (test): 4 compared" in out
    content = (tmp_path / "out.onnx").read_bytes()
    texts = {each.key: each.value for each in onnx.load_from_string(content).metadata_props}
    inputs, expected = golden.read(texts["golden"])
    found = verification.of_onnx(content)(inputs)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=2e-6)


def test_where_openvino_is_installed_it_must_answer_alike_too(call, tmp_path, monkeypatch):
    off = 0.0

    def of_openvino(content, _model):
        run = verification.of_onnx(content)
        return lambda inputs: {name: values + np.float32(off) for name, values in run(inputs).items()}

    monkeypatch.setattr(export, "find_spec", lambda name: name == "openvino")
    monkeypatch.setattr(verification, "of_openvino", of_openvino)
    status, out, _ = call("--verify")
    assert status == 0
    assert "5 simulated objects: in OpenVINO answers differ by" in out
    (tmp_path / "out.onnx").unlink()
    off = 3e-5
    status, _, err = call("--verify")
    assert status == 2
    assert "5 simulated objects, in OpenVINO: answers to" in err
    assert not (tmp_path / "out.onnx").exists()


def test_beside_stablehlo_stands_what_it_takes(call, tmp_path):
    assert call("--verify", "--layout", "NCHW", kind="stablehlo")[0] == 0
    texts = json.loads((tmp_path / "out.stablehlo.json").read_text())
    inputs, expected = golden.read(texts["golden"])
    run = verification.of_stablehlo((tmp_path / "out.stablehlo").read_bytes(), model(OF_ONE))
    np.testing.assert_allclose(run(inputs)["probabilities"], expected["probabilities"], atol=2e-6)
    status, _, err = call(kind="stablehlo")
    assert status == 2
    assert "exists; choose another name or add --force" in err


def test_a_fault_leaves_no_file(call, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_network, "LEAST_PROBABILITY", 0.2)
    status, _, err = call("--verify")
    assert status == 2
    assert "no file was written" in err
    assert not (tmp_path / "out.onnx").exists()


def test_a_model_without_a_temperature_is_not_called_calibrated(call):
    status, _, err = call(name="bare")
    assert status == 0
    assert "WARNING: made has no temperature: the file gives its probabilities as they are" in err


def test_what_export_needs_is_named_where_it_is_absent(call, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    status, _, err = call("--verify")
    assert status == 2
    assert "needs onnx and onnxruntime, which cannot be imported; pip install 'jtss[export]'" in err
    assert "needs flatbuffers" in call(kind="stablehlo")[2]


def test_what_makes_no_sense_is_refused(call, tmp_path):
    assert "is read with --verify only" in call("--data", tmp_path / "made.h5")[2]
    assert "expected --data as well" in call("--verify", "--split", "test")[2]
