"""The report: all its numbers are in the JSON, the page stands alone, and no text of the data can break out of it."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.metrics import priors
from jtss.reports import evaluation, page, report

CURVE = [
    {"step": 10, "train_loss": 1.0},
    {"step": 20, "train_loss": 0.8, "validation_loss": 0.9, "validation_accuracy": 0.5},
    {"step": 30, "train_loss": 0.7, "validation_loss": None, "validation_accuracy": None},
]
NASTY = '<script>alert("1")</script>&amp;\'"'


class Strict(HTMLParser):
    """Collects tags, text and attributes; raises where tags do not nest."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(document)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def evaluated():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)  # no VS: undefined scores
    label[0] = 4
    wrong = {f"ZTF{i}": (int(1 - label[i]), 0.6 + i / 200) for i in range(1, 15)}
    made = sequences([3] * 60, label=label, split=[2] * 60)
    evaluated = evaluation.evaluate(FakeClassifier(3, wrong), [made], CLASSES, 3, "test")
    return evaluated._replace(errors=evaluated.errors[:3])  # a portrait takes a while to draw


@pytest.fixture(scope="module")
def html(evaluated):
    return report.html(make(evaluated), evaluated)


def make(evaluated, **changes):
    model = {"name": "n3_conv1d", "version": "0.1.0", "best_steps": [20], "n_detections": 3}
    data = {"path": "a/b.h5", "split": "test", "content_hash": "abcd"}
    inference = {"median_s_per_object": 0.00123, "batch_size": 59, "repeats": 9, "device": "some processor"}
    given = {
        "model": model,
        "data": data,
        "inference": inference,
        "curve": CURVE,
        "command": "evaluate.py --ckpt x",
        "warnings": [],
    }
    return report.make_document(evaluated, **given | changes)


@pytest.mark.parametrize(("split", "words"), [("test", "test split"), ("all", "all splits")])
def test_the_title_names_the_model_and_the_data(split, words):
    document = {"model": {"name": "n3_conv1d"}, "data": {"path": "a/b.h5", "split": split}}
    assert report.title(document) == f"n3_conv1d on b.h5, {words}"


def test_json_can_be_read_back_and_nan_is_null(evaluated, tmp_path):
    document = make(evaluated)
    json_path, _ = report.write(tmp_path / "new" / "folder", document, evaluated)
    read = json.loads(json_path.read_text(), parse_constant=pytest.fail)
    assert read["results"]["classes"]["VS"]["recall"] == {"value": None, "interval": [None, None]}
    assert read["learning_curve"]["validation_loss"] == [None, 0.9, None]
    assert read["results"]["accuracy"]["value"] == document["results"]["accuracy"]["value"] == 45 / 59
    assert read["data"]["objects"] == evaluated.counts
    assert sorted(path.name for path in json_path.parent.iterdir()) == ["report.html", "report.json"]


def test_every_error_shown_is_in_the_json(evaluated):
    errors = make(evaluated)["confident_errors"]
    assert [item["object_id"] for item in errors] == [f"ZTF{i}" for i in range(14, 11, -1)]
    for item in errors:
        assert item["predicted_class"] != item["true_class"]
        assert sum(item["probabilities"].values()) == pytest.approx(1)


def test_page_stands_alone(html):
    parsed = Strict(html)
    assert "script" not in parsed.tags
    addresses = [value for _, name, value in parsed.attributes if name in ("src", "href", "action", "data")]
    assert addresses
    assert all(value.startswith("data:") for value in addresses)
    assert "url(" not in page.STYLE
    assert "@import" not in page.STYLE
    assert ("meta", "name", "viewport") in parsed.attributes


def test_every_picture_is_there_and_described(html):
    pictures = [base64.b64decode(text) for text in re.findall(r"data:image/png;base64,([^\"]*)", html)]
    assert len(pictures) == 7 + 3  # confusion, slices, coverage, ROC, precision, reliability, learning; errors
    assert all(png.startswith(b"\x89PNG") for png in pictures)
    assert html.count("alt=") == len(pictures)


def test_text_is_escaped_wherever_it_comes_from(evaluated):
    worst = evaluated.errors[0]._replace(object_id=NASTY)
    document = make(
        evaluated,
        model={"name": NASTY, "best_steps": [20], "n_detections": 3, "note": NASTY},
        data={"path": NASTY, "split": "test", NASTY: NASTY},
        command=NASTY,
        warnings=[NASTY],
    )
    parsed = Strict(report.html(document, evaluated._replace(errors=[worst])))
    assert "script" not in parsed.tags
    assert "".join(parsed.words).count(NASTY) >= 6


def test_undefined_numbers_show_as_a_dash_never_as_nan_or_zero(html):
    row = re.search(r"<tr><td>VS</td>.*?</tr>", html).group()
    assert row.count(f"<td>{page.UNDEFINED}</td>") == 3
    assert not re.search(r"\bnan\b", "".join(Strict(html).words), re.IGNORECASE)


def test_the_page_shows_the_numbers(evaluated):
    words = "".join(Strict(report.html(make(evaluated, warnings=["beware"]), evaluated)).words)
    for text in ("76.3 % accuracy", "1.23 ms per object", "some processor", "beware", "abcd", "59 objects", "Wilson"):
        assert text in words


def numbers_of(value):
    """All numbers of a nested value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_of(item)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_every_percentage_of_the_page_is_in_the_json(evaluated):
    """Also those at class priors, in slices and at thresholds."""
    given = priors.ClassPriors(np.array([0.3, 0.2, 0.5]), "made", True)
    document = make(evaluated, class_priors=given, purity=0.8)
    words = " ".join(Strict(report.html(document, evaluated)).words)
    shown = re.findall(r"(\d+\.\d)(?:–(\d+\.\d))? %", words)
    assert len(shown) > 60
    known = {f"{100 * number:.1f}" for number in numbers_of(json.loads(page.to_json(document)))}
    assert {text for pair in shown for text in pair if text} <= known


def test_without_errors_and_without_a_training_record(evaluated):
    words = "".join(Strict(report.html(make(evaluated, curve=[]), evaluated._replace(errors=[]))).words)
    assert "No object was misclassified" in words
    assert "Training" not in words


def test_a_failed_write_leaves_the_old_report(evaluated, tmp_path):
    document = make(evaluated)
    report.write(tmp_path, document, evaluated)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(TypeError):
        report.write(tmp_path, {**document, "bad": object()}, evaluated)
    assert (tmp_path / "report.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
