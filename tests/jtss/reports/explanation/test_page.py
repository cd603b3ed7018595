"""The page of an explanation: every part that is known, a hint where there is one model, no text that breaks out."""

import re

import numpy as np
import pytest

from helpers.made_sequences import sequences
from jtss.reports.explanation import page
from jtss.reports.explanation.occlusion import Occlusion

PNG = b"\x89PNG"
VALUES = [
    {
        "name": "magpsf",
        "of": "every detection",
        "unit": "mag",
        "values": [18.5, float("nan")],
        "training_mean": 19.0,
        "log_odds_change": 0.7,
    },
    {"name": "ra", "of": "object", "unit": "deg", "values": [12.0], "training_mean": 180.0, "log_odds_change": -0.2},
]


def made_document(n_models=2, metadata=VALUES, **changes):
    one = {"run": "n1", "version": "0.1.0", "n_detections": 1, "days": 0.0, "probabilities": {"AGN": 0.2, "SN": 0.8}}
    two = one | {"run": "n2", "n_detections": 2, "days": 1.0, "probabilities": {"AGN": 0.1, "SN": 0.9}}
    explained = {"run": "n1", "class": "SN", "probability": 0.8, "metadata": metadata}
    explained["occlusion"] = {"channels": ["science"], "largest_drop": [[0.25]]}
    return {
        "object_id": "ZTF0",
        "true_class": "SN",
        "trajectory": [one, two][:n_models],
        "not_read_by": [],
        "explained": explained,
        "detections": [{"days": 0.0, "filter": "g"}, {"days": 1.0, "filter": "r"}],
        "source": "made.h5",
        "command": "evaluate.py",
        "created": "2026",
    } | changes


@pytest.fixture
def occluded():
    return Occlusion(np.array([0, 3]), 5, np.full((1, 1, 2, 2), 0.25))


def html(document, occlusion=None):
    return page.html(document, sequences((2,)), np.random.default_rng(0).random((1, 8, 8, 1)), occlusion)


def test_every_part_is_there(occluded):
    text = html(made_document(not_read_by=["n5"]), occluded)
    for words in (
        "SN 80.0 %",
        "True class: SN.",
        "Explained: n1.",
        "Which parts of the stamps matter",
        "+0.0 d, g",
        "25.0 %",
    ):
        assert words in text
    assert "Which metadata matter" in text
    assert "18.5, missing mag" in text
    assert "+0.70" in text
    assert "Too few detections for n5." in text
    assert text.count("data:image/png") == 4  # portrait, trajectory, occlusion, values
    assert "--ckpt RUN RUN" not in text


def test_what_is_not_known_has_no_section():
    text = html(made_document(n_models=1, metadata=[], true_class=None))
    assert "No label." in text
    assert "This model predicts once, after 1 detection." in text
    assert "Which parts of the stamps matter" not in text
    assert "Which metadata matter" not in text
    assert text.count("data:image/png") == 1


def test_text_is_escaped():
    text = html(made_document(object_id="<b>", source="<script>", command="<i>"))
    assert not re.search(r"<script>|<b>|<i>", text)


def test_pictures_are_drawn_at_their_edges(occluded):
    never_likely = [{"n_detections": 1, "days": 0.0, "probabilities": {"AGN": 0.999, "SN": 0.001}}]
    assert page.trajectory_figure(never_likely).startswith(PNG)
    flat = occluded._replace(drop=np.zeros((1, 1, 2, 2)))
    assert page.occlusion_figure(flat, np.zeros((1, 8, 8, 1)), ["science"], ["first"]).startswith(PNG)
    assert page.ablation_figure(VALUES * 20, "SN").startswith(PNG)
