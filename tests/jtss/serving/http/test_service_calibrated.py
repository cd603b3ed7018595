"""A service that calibrates says in all its words what `jtss classify --calibrated` says of the packet."""

import asyncio
import json
import time

import numpy as np
import pytest

from helpers.made_explained import TEMPERATURE, warm_of_packets
from helpers.made_service import made_service, packet
from helpers.programs import jtss

SUFFIX = f".t{TEMPERATURE:.4g}"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return warm_of_packets(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def said(model):
    """The answer with its trajectory and the explanation, of a service as it is and of one that calibrates."""
    found = []
    for calibrated in (False, True):
        service = made_service(model, calibrated=calibrated)
        asked = service.classify(packet(), None, trajectory=True, began=time.monotonic())
        found.append((asyncio.run(asked)["answers"][0], asyncio.run(service.explain(packet(), None, None)), service))
        service.close()
    return found


def table(model, tmp_path, *words):
    """The rows of `jtss classify` of the packet, and the probabilities after each of its rows."""
    (tmp_path / "a.avro").write_bytes(packet())
    words = ("--out", tmp_path / "t.jsonl", "--trajectory", tmp_path / "s.jsonl", "--force", *words)
    assert jtss("classify", tmp_path / "a.avro", "-m", model, *words) == 0
    rows, steps = ([*map(json.loads, (tmp_path / name).read_text().splitlines())] for name in ("t.jsonl", "s.jsonl"))
    versions = {row["classifier_version"] for row in rows}
    assert len(versions) == 1
    return {row["class_name"]: row["probability"] for row in rows}, steps, versions.pop()


@pytest.mark.parametrize(("which", "words"), [(0, ()), (1, ("--calibrated",))])
def test_all_roads_give_the_same_numbers_to_the_bit(said, model, tmp_path, which, words):
    answer, why, _ = said[which]
    probabilities, steps, version = table(model, tmp_path, *words)
    assert answer["probabilities"] == probabilities  # the shortest decimals of the same float32
    assert why["rows"][-1]["probabilities"] == answer["trajectory"][-1]["probabilities"] == probabilities
    assert why["probability"] == probabilities[answer["class"]]
    assert why["class"] == answer["class"]
    assert version == answer["classifier_version"] == why["classifier_version"]
    for step, mine, row in zip(steps, answer["trajectory"], why["rows"], strict=True):
        told = {name.removeprefix("P_"): p for name, p in step.items() if name.startswith("P_")}
        assert row["probabilities"] == told
        assert (mine["probabilities"] or dict.fromkeys(told)) == told


def test_a_temperature_divides_the_logarithms_and_the_version_says_so(said):
    (plain, plain_why, _), (scaled, scaled_why, service) = said
    powers = {name: p ** (1 / TEMPERATURE) for name, p in plain["probabilities"].items()}
    for name, p in scaled["probabilities"].items():
        assert p == pytest.approx(powers[name] / sum(powers.values()), rel=1e-6)
    assert plain["probabilities"] != scaled["probabilities"]
    assert scaled["classifier_version"] == plain["classifier_version"] + SUFFIX
    (served,) = service.models.values()
    assert served.about["version"] == scaled["classifier_version"]
    assert scaled["outlier"] == plain["outlier"]
    p = scaled["probabilities"][scaled["class"]]
    assert scaled_why["log_odds"] == pytest.approx(np.log(p / (1 - p)), rel=1e-5)
    assert scaled_why["log_odds"] != pytest.approx(plain_why["log_odds"], rel=0.01)
    assert scaled_why["parts"] != plain_why["parts"]
    drops, plain_drops = ([one["largest_drop"] for one in why["hidden"]["images"]] for why in (scaled_why, plain_why))
    assert drops != plain_drops
