"""What a service does with bodies, without HTTP."""

import asyncio
import time

import pytest

from helpers.made_service import CANDID, made_run, made_service, packet, packet_without_images, quiet, said
from jtss.serving.http.problems import Problem
from jtss.serving.http.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = made_service(made_run(tmp_path_factory.mktemp("model")))
    yield made
    made.close()


def classify(service, body, name=None):
    return asyncio.run(service.classify(body, name, trajectory=False, began=time.monotonic()))


def test_packets_are_answered_and_counted(service):
    before = service.tally.totals()
    found = classify(service, packet() + packet_without_images())
    assert [one["candid"] for one in found["answers"]] == [CANDID]
    assert [one["reason"] for one in found["rejected"]] == ["missing_stamp"]
    after = service.tally.totals()
    assert [after[name] - before[name] for name in ("answers", "rejected")] == [1, 1]


def test_a_body_without_an_answer_is_a_problem_and_counted(service):
    before = service.tally.totals()["rejected"]
    with pytest.raises(Problem, match=r"body: \w+: ") as error:
        classify(service, packet_without_images() + packet_without_images(8))
    assert (error.value.status, len(error.value.rejected)) == (422, 2)
    assert "(and 1 more)" in error.value.detail
    assert service.tally.totals()["rejected"] == before + 2


def test_an_explanation_is_of_the_packet_that_is_asked_for(service):
    body = packet() + packet(8)
    assert asyncio.run(service.explain(body, None, 8))["candid"] == 8
    for candid, reason in ((None, "several_packets"), (9, "no_such_packet")):
        with pytest.raises(Problem) as error:
            asyncio.run(service.explain(body, None, candid))
        assert error.value.reason == reason


def test_models_are_known_by_name(service):
    (name,) = service.models
    assert service.served(None) is service.served(name)
    with pytest.raises(Problem, match="model n9: expected one of"):
        service.served("n9")


def test_a_service_that_cannot_be_made_ready_knows_why(service, monkeypatch):
    def fails(_model):
        raise MemoryError("too little")

    monkeypatch.setattr("jtss.serving.http.service.warm", fails)
    other = Service(service.models, quiet())
    other.begin()
    assert isinstance(other.warmed.exception(600), MemoryError)
    assert not other.is_ready()
    with pytest.raises(Problem, match="being made ready"):
        other.require_ready()
    assert said(other.log) == ""
    other.close()
