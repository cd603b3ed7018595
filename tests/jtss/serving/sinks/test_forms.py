"""Forms of answers, as those read them for whom they are."""

import io
import json
from datetime import UTC, datetime

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.made_messages import ANSWER
from helpers.places import ROOT
from jtss.errors import InputError
from jtss.inference.table import Classifier
from jtss.serving.sinks import forms

LINE, CLASSES = json.dumps(ANSWER), tuple(ANSWER["probabilities"])
CLASSIFIER = Classifier("any_gru", ANSWER["classifier_version"], CLASSES, 1)
# What ALeRCE's consumers of its stamp classifier of 2025 may read by.
OF_ALERCE = {
    "name": "stamp_probabilities",
    "type": "record",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {
            "name": "probabilities",
            "type": {
                "name": "probabilities",
                "type": "record",
                "fields": [
                    {"name": name, "type": "float"} for name in ("SN", "AGN", "VS", "asteroid", "bogus", "satellite")
                ],
            },
        },
    ],
}


def form(word, classifier=CLASSIFIER):
    return forms.form_of(word, classifier)


def test_json_is_the_line_itself():
    assert form("json").message(LINE) == LINE.encode()
    assert form("json").file([LINE, LINE]) == f"{LINE}\n{LINE}\n".encode()


def test_alerce_reads_it_by_its_schema_and_others_by_ours():
    value = form("alerce").message(LINE)
    probabilities = ANSWER["probabilities"] | {"satellite": 0.0}
    record = {"objectId": ANSWER["objectId"], "candid": ANSWER["candid"], "probabilities": probabilities}
    assert list(fastavro.reader(io.BytesIO(value), reader_schema=OF_ALERCE)) == [record]
    record |= {"classifier_name": "any_gru", "classifier_version": "0_1_0+20261130T130853_s5000_s3500"}
    assert list(fastavro.reader(io.BytesIO(value))) == [record]
    assert form("alerce").message(LINE) == value
    assert form("alerce").file is None


def test_the_documentation_has_the_schema():
    text = (ROOT / "docs" / "serving.md").read_text()
    start = text.index('{"type": "record", "name": "stamp_probabilities"')
    documented = fastavro.parse_schema(json.loads(text[start : text.index("```", start)]))
    assert documented == forms.alerce_schema(CLASSES)


def test_a_class_that_alerce_lacks_comes_after_its_own():
    schema = forms.alerce_schema(("TDE", "SN"))
    (names,) = [field["type"]["fields"] for field in schema["fields"] if field["name"] == "probabilities"]
    assert [field["name"] for field in names] == [*forms.ALERCE_CLASSES, "TDE"]
    answer = ANSWER | {"probabilities": {"TDE": 0.25, "SN": 0.75}}
    (record,) = fastavro.reader(io.BytesIO(forms.alerce(answer, schema)))
    assert record["probabilities"] == dict.fromkeys(forms.ALERCE_CLASSES, 0.0) | {"SN": 0.75, "TDE": 0.25}


def test_versions_without_dots_differ_where_versions_do():
    versions = ["0.1.0+20261130T130853.s5000", "0.10+20261130T130853.s5000", "01.0+20261130T130853.s5000"]
    without = [forms.without_dots(version) for version in versions]
    assert not any("." in version for version in without)
    assert [version.replace("_", ".") for version in without] == versions


def test_an_annotation_is_what_lasairs_client_takes():
    annotation = json.loads(form("lasair:fastfinder").message(LINE))
    assert annotation.keys() == {
        *("topic", "objectId", "classification", "version", "explanation", "classdict", "url"),
    }
    assert (annotation["topic"], annotation["objectId"], annotation["classification"]) == (
        *("fastfinder", "ZTF18abc", "SN"),
    )
    assert annotation["version"] == "20261130T130853"
    assert len(annotation["version"]) <= forms.LASAIR_VERSION
    assert annotation["explanation"] == (
        "SN with 75.0 %, from 8 detections, 35 upper limits, 1 stamp triplet; most probable subclass SN Ia with 50.0 %;"
        " more unusual than 94 % of known alerts; without allwise, counters"
    )
    assert annotation["classdict"]["probabilities"] == ANSWER["probabilities"]
    assert annotation["classdict"]["classifier_version"] == ANSWER["classifier_version"]
    assert form("lasair:fastfinder").file([LINE, LINE]).splitlines() == [json.dumps(annotation).encode()] * 2


def test_what_an_answer_lacks_is_not_explained():
    bare = ANSWER | {"subclass": None, "subclass_probability": None, "outlier": None, "missing": []}
    assert forms.explanation(bare) == "SN with 75.0 %, from 8 detections, 35 upper limits, 1 stamp triplet"


def test_kowalski_has_a_version_beside_each_score():
    found = json.loads(form("kowalski").message(LINE))
    assert (found["objectId"], found["candid"]) == (ANSWER["objectId"], ANSWER["candid"])
    scores = found["classifications"]
    assert len(scores) == 2 * len(CLASSES)
    for name, probability in ANSWER["probabilities"].items():
        assert scores[f"any_gru_{name}"] == probability
        assert scores[f"any_gru_{name}_version"] == ANSWER["classifier_version"]


def test_a_row_of_parquet_has_every_field_of_the_answer():
    rare = ANSWER | {"subclass": None, "subclass_probability": None, "missing": [], "outlier": None, "offset": 2**40}
    data = form("parquet").file([LINE, json.dumps(rare)])
    table = pq.read_table(pa.BufferReader(data))
    chances = [f"P_{name}" for name in CLASSES]
    assert {*table.column_names} == {*ANSWER.keys() - {"probabilities"}, *chances}
    assert [str(table.schema.field(name).type) for name in ("candid", "P_SN", "missing", "answered")] == [
        *("int64", "float", "list<element: string>", "timestamp[ms, tz=UTC]"),
    ]
    for row, answer in zip(table.to_pylist(), (ANSWER, rare), strict=True):
        assert {name: row[f"P_{name}"] for name in CLASSES} == answer["probabilities"]
        assert row["answered"] == datetime(2026, 11, 30, 13, 50, 14, 259_000, tzinfo=UTC)
        for key in answer.keys() - {"probabilities", "answered"}:
            assert row[key] == answer[key], key
    assert form("parquet").message is None


@pytest.mark.parametrize(
    "word", ["xml", "", "lasair", "lasair:", "lasair:a b", "lasair:a,json", "json:", "json:x", "kowalski:x", "parquet"]
)
def test_a_form_that_is_none_here_is_named(word):
    for good in ("json", "alerce", "lasair:us", "kowalski"):
        forms.check(good, forms.OF_MESSAGES)
    with pytest.raises(InputError, match="expected here one of json, alerce, lasair:ANNOTATOR, kowalski"):
        forms.check(word, forms.OF_MESSAGES)


def test_forms_are_of_what_they_are_offered_for():
    for word, message, file in (
        *(("json", True, True), ("alerce", True, False), ("lasair:us", True, True), ("kowalski", True, True)),
        ("parquet", False, True),
    ):
        kind = word.partition(":")[0]
        assert (kind in forms.OF_MESSAGES, kind in forms.OF_FILES) == (message, file)
        assert (form(word).message is not None, form(word).file is not None) == (message, file)
        assert form(word).name == word


def test_a_classifier_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"--form alerce: class .other SN.; expected names that Avro takes"):
        form("alerce", CLASSIFIER._replace(classes=("other SN",)))
    with pytest.raises(InputError, match="version 1: expected one that says when its training began"):
        form("lasair:us", CLASSIFIER._replace(version="1"))
