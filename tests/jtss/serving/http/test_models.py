"""Which models a service has, and what it tells of them."""

from pathlib import Path

import pytest

from helpers.made_service import made_run
from jtss.errors import InputError
from jtss.serving.http.documents import ModelDocument
from jtss.serving.http.models import served


def test_the_first_is_the_default_and_each_is_described(tmp_path):
    run = made_run(tmp_path)
    found = served([Path("any"), run])
    assert [*found] == ["any", str(run)]
    for one in found.values():
        ModelDocument.model_validate(one.about)
        assert one.about["classes"] == [*one.model.config.classes] == [*one.by.classifier.classes]
        assert one.about["version"] == one.by.classifier.version
    assert [one.about["is_default"] for one in found.values()] == [True, False]
    assert any(text.startswith("real alerts") for text in found["any"].about["results"])
    assert found[str(run)].about["results"] == []
    assert (found["any"].about["knows_outliers"], found[str(run)].about["knows_outliers"]) == (True, False)


def test_the_same_twice_is_refused():
    with pytest.raises(InputError, match="--model any: given twice, expected different models"):
        served([Path("any"), Path("any")])


def test_a_model_of_sequences_is_refused():
    with pytest.raises(InputError, match=r"n3_best answers .* first 3 alerts, expected a model of packets"):
        served([Path("n3_best")])
