"""The programs in docs/export.md run as they stand there."""

import json
import re

import fastavro
import numpy as np
import onnxruntime
import pytest

import jtss
from helpers.places import ROOT
from helpers.programs import jtss as program
from jtss.export import golden

PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL)
EXPORTED = {"n1_enhanced": "onnx", "any": "onnx", "n3_best": "stablehlo"}
pytestmark = pytest.mark.slow


def containing(text: str) -> str:
    (found,) = [each for each in PROGRAMS if text in each]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files as the page has them."""
    made = tmp_path_factory.mktemp("exported")
    for name, kind in EXPORTED.items():
        assert program("export", name, "--format", kind, "--out", str(made / f"{name}.{kind}")) == 0
    return made


@pytest.fixture
def run(folder, monkeypatch):
    """Run a program of the page where the files are; returns its names."""
    monkeypatch.chdir(folder)

    def run(text: str, **names) -> dict:
        exec(compile(containing(text), "docs/export.md", "exec"), names)
        return names

    return run


def test_every_program_of_the_page_is_run():
    assert len(PROGRAMS) == 4


def test_golden_vectors_are_checked(run):
    assert len(run("b64decode")["expected"]) == 1


def test_stablehlo_answers(run, folder):
    text = (folder / "n3_best.stablehlo.json").read_text()
    inputs, expected = golden.read(json.loads(text)["golden"])
    found = run("deserialize", **inputs)["probabilities"]
    np.testing.assert_allclose(found, expected["probabilities"], atol=2e-6)


def test_a_packet_gets_the_answer_of_jtss(run, tmp_path):
    packets = tmp_path / "packets"
    words = ("--objects", "5", "--seed", "5", "--classes", "AGN,SN,VS,asteroid,bogus", "--packets", str(packets))
    assert program("data", "simulate", *words) == 0
    model, n_rows = jtss.load_model("any"), 0
    alone = tmp_path / "alone.avro"
    for path in sorted((packets / "alerts").glob("*.avro")):
        with path.open("rb") as stream:
            reader = fastavro.reader(stream)
            *_, packet = reader
        with alone.open("wb") as stream:
            fastavro.writer(stream, reader.writer_schema, [packet])
        expected = model.classify(alone, calibrated=True)
        found = run("prv_candidates", packet=packet)
        names = [f"P_{name}" for name in model.classes]
        np.testing.assert_allclose(found["probabilities"][0], [float(expected[name][0]) for name in names], atol=1e-5)
        np.testing.assert_allclose(found["outlier"][0], expected["outlier"][0], atol=1e-5)
        n_rows += len(packet["prv_candidates"] or [])
    assert n_rows > 20


def test_an_adapter_gives_the_model_other_names(run, folder):
    names = run("ACAI")
    inputs, _ = golden.read(onnx_properties(folder / "n1_enhanced.onnx")["golden"])
    n, known = len(inputs["stamps"]), [name for name in names["METADATA"] if name in names["ACAI"]]
    features = np.full((n, len(names["ACAI"])), 7, np.float32)
    metadata = np.full_like(inputs["metadata"], np.nan)
    for name in known:
        column = inputs["metadata"][:, names["METADATA"].index(name)]
        features[:, names["ACAI"].index(name)] = metadata[:, names["METADATA"].index(name)] = column
    mine = session(folder / "mine.onnx").run(None, {"features": features, "triplets": inputs["stamps"]})
    own = session(folder / "n1_enhanced.onnx").run(None, {"stamps": inputs["stamps"], "metadata": metadata})
    np.testing.assert_array_equal(mine[0], own[0])


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def onnx_properties(path) -> dict:
    return session(path).get_modelmeta().custom_metadata_map
