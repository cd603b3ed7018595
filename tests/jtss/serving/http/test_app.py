"""The interface by HTTP: what it answers, and what it says when something is wrong."""

import json
import socket
import threading

import numpy as np
import pytest

import jtss as python
from data_prep.simulate.packets import encode_file
from helpers.made_service import (
    CANDID,
    PATIENT,
    client_of,
    made_run,
    made_service,
    packet,
    packet_without_images,
    said,
)
from helpers.make_packets import alert, save_tar
from helpers.mock_kafka import wait_until
from jtss.serving import answering

FEW = PATIENT._replace(body_bytes=300_000, packets=3)
HUNG_UP_LINE = 'jtss_requests_total{path="/classify",status="499"} 1'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_run(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def client(run):
    with client_of(made_service(run, FEW)) as found:
        yield found


def problem(response, status):
    """The document of a request without an answer."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    return document


def connection(client, path, body, stated=None):
    """A request that is sent, and whose answer nobody reads; `stated` bytes of it are promised."""
    line = socket.create_connection((client.base_url.host, client.base_url.port))
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {stated or len(body)}\r\n\r\n"
    line.sendall(head.encode() + body)
    return line


def test_answers_are_those_of_python(client, run):
    response = client.post("/classify", content=packet())
    ((answer,), rejected) = response.json().values()
    assert rejected == []
    model = python.load_model(run)
    (row,) = model.classify(packet())
    assert (answer["objectId"], answer["candid"], answer["class"]) == (row["object_id"], CANDID, row["class"])
    assert answer["classifier_version"] == model.version
    # the same programs, and so the same bits
    assert [np.float32(answer["probabilities"][name]) for name in model.classes] == [
        row[f"P_{name}"] for name in model.classes
    ]


def test_the_way_to_an_answer_is_told_where_it_is_asked_for(client, run):
    (answer,) = client.post("/classify?trajectory=true", content=packet()).json()["answers"]
    table = python.load_model(run).trajectory(packet())
    assert [step["jd"] for step in answer["trajectory"]] == table["jd"].tolist()
    assert [step["kind"] for step in answer["trajectory"]] == table["kind"].tolist()
    assert answer["trajectory"][-1]["probabilities"] == answer["probabilities"]


def test_each_packet_has_an_answer_or_a_reason(client, tmp_path):
    files = {"a.avro": packet(), "b.avro": packet_without_images(), "c.avro": b"x"}
    body = save_tar(tmp_path / "a.tar", files).read_bytes()
    found = client.post("/classify", content=body).json()
    assert [one["candid"] for one in found["answers"]] == [CANDID]
    assert {(one["reason"], one["source"]) for one in found["rejected"]} == {
        ("missing_stamp", "body!b.avro"),
        ("not_avro", "body!c.avro"),
    }


def test_bodies_without_an_answer_say_why(client):
    document = problem(client.post("/classify", content=b"nothing"), 422)
    assert document["reason"] == "not_avro"
    assert "expected b'Obj" in document["detail"]
    document = problem(client.post("/classify", content=packet_without_images()), 422)
    assert (document["reason"], document["rejected"][0]["candid"]) == ("missing_stamp", 7)
    assert problem(client.post("/classify"), 422)["reason"] == "empty_file"
    assert problem(client.post("/explain", content=packet_without_images()), 422)["reason"] == "missing_stamp"


def test_questions_that_are_wrong_are_named(client):
    assert problem(client.post("/classify?model=n9", content=packet()), 404)["reason"] == "unknown_model"
    assert "modle" in problem(client.post("/classify?modle=any", content=packet()), 422)["detail"]
    assert "trajectory" in problem(client.post("/classify?trajectory=perhaps", content=packet()), 422)["detail"]
    assert problem(client.post("/classify", files={"file": packet()}), 415)["reason"] == "form"
    form = {"content-type": "Multipart/Form-Data; boundary=x"}
    assert problem(client.post("/classify", content=packet(), headers=form), 415)["reason"] == "form"
    assert problem(client.get("/classify"), 405)["reason"] == "no_such_method"
    assert problem(client.get("/../../etc/passwd"), 404)["reason"] == "no_such_path"


def test_an_answer_is_explained(client):
    found = client.post("/explain", content=packet()).json()
    (answer,) = client.post("/classify", content=packet()).json()["answers"]
    assert (found["candid"], found["class"]) == (CANDID, answer["class"])
    assert found["probability"] == answer["probabilities"][answer["class"]]
    two = packet() + packet(8)
    shown = client.post("/stamps?candid=8", content=two).json()
    assert (shown["candid"], shown["stamps"]) == (8, client.post("/explain?candid=8", content=two).json()["stamps"])
    assert client.post("/stamps", content=packet()).json()["stamps"] == found["stamps"]
    assert problem(client.post("/stamps", content=packet_without_images()), 422)["reason"] == "missing_stamp"
    assert problem(client.post("/explain", content=two), 422)["reason"] == "several_packets"
    assert client.post("/explain?candid=8", content=two).json()["candid"] == 8
    assert problem(client.post("/explain?candid=9", content=two), 422)["reason"] == "no_such_packet"


def test_too_much_at_a_time_is_refused(client):
    large = bytes(FEW.body_bytes + 1)
    assert problem(client.post("/classify", content=large), 413)["reason"] == "too_large"
    pieces = (bytes(10_000) for _ in range(100))  # of a length that nobody states
    assert problem(client.post("/classify", content=pieces), 413)["reason"] == "too_large"
    many = encode_file([alert("ZTF18a", candid, [None] * 3) for candid in range(1, 9)])
    assert problem(client.post("/classify", content=many), 413)["reason"] == "too_many_packets"


def test_a_body_that_does_not_come_is_not_waited_for(run):
    with client_of(made_service(run, PATIENT._replace(body_seconds=0.1))) as client:
        with connection(client, "/classify", b"Obj", stated=1000) as line:
            said = b"".join(iter(lambda: line.recv(1000), b""))  # to the end: the server hangs up
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"slow_body" in said
        assert "jtss_requests_at_work 0" in client.get("/metrics").text


def test_before_it_is_ready_it_says_so(run, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr("jtss.serving.http.service.warm", lambda _: go_on.wait(600))
    with client_of(made_service(run), is_ready=False) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        response = client.post("/classify", content=packet())
        assert problem(response, 503)["reason"] == "not_ready"
        assert response.headers["retry-after"] == "5"
        assert "jtss_ready 0" in client.get("/metrics").text
        go_on.set()


def test_more_requests_than_places_are_told_to_come_again(run, monkeypatch):
    begun, go_on, work = threading.Event(), threading.Event(), answering.answers

    def waits(*arguments, **named):
        begun.set()
        go_on.wait(600)
        return work(*arguments, **named)

    service = made_service(run, PATIENT._replace(requests=1))
    monkeypatch.setattr(answering, "answers", waits)
    with client_of(service) as client:
        first = []
        asking = threading.Thread(target=lambda: first.append(client.post("/classify", content=packet())))
        asking.start()
        assert begun.wait(600)
        response = client.post("/classify", content=packet())
        assert problem(response, 503)["reason"] == "busy"
        assert response.headers["retry-after"] == "1"
        go_on.set()
        asking.join()
        assert first[0].status_code == 200
        assert client.post("/classify", content=packet()).status_code == 200


def test_a_failing_machine_and_what_nobody_foresaw_are_logged_and_counted(run, monkeypatch):
    service = made_service(run)
    with client_of(service) as client:
        for error, status, reason in ((OSError("full"), 503, "unavailable"), (KeyError("x"), 500, "failed")):

            def fails(*_, error=error, **__):
                raise error

            monkeypatch.setattr(answering, "answers", fails)
            response = client.post("/classify", content=packet())
            assert problem(response, status)["reason"] == reason
            assert response.headers["x-content-type-options"] == "nosniff"
            assert f"{type(error).__name__}: " in said(service.log)
            assert f'jtss_requests_total{{path="/classify",status="{status}"}} 1' in client.get("/metrics").text


def test_an_error_is_logged_once(run, monkeypatch, caplog):
    """Also by the server itself, which logs what an application raises."""
    service = made_service(run)
    monkeypatch.setattr(answering, "answers", lambda *_, **__: 1 / 0)
    with client_of(service) as client:
        problem(client.post("/classify", content=packet()), 500)
    assert said(service.log).count("ZeroDivisionError") == 1
    assert "Exception in ASGI application" not in caplog.text


def test_a_client_that_hangs_up_is_counted_and_not_logged(run):
    service = made_service(run)
    with client_of(service) as client:
        with connection(client, "/classify", b"x", stated=1000):
            wait_until(lambda: service.places.taken, "the request is read")
        wait_until(lambda: HUNG_UP_LINE in client.get("/metrics").text, "it is counted")
        assert service.places.taken == 0
    assert "failed" not in said(service.log)


@pytest.mark.parametrize(("path", "name"), [("/classify", "answers"), ("/explain", "alone")])
def test_what_nobody_waits_for_is_not_begun_and_keeps_no_place(path, name, run, monkeypatch):
    begun, go_on, work = [], threading.Event(), getattr(answering, name)

    def waits(*arguments, **named):
        begun.append(1)
        go_on.wait(600)
        return work(*arguments, **named)

    service = made_service(run)
    places = service.places if name == "answers" else service.explanations
    monkeypatch.setattr(answering, name, waits)
    with client_of(service) as client:
        try:
            with connection(client, path, packet()):
                wait_until(lambda: begun, "the first is at work")
                for _ in range(2):
                    with connection(client, path, packet()):
                        wait_until(lambda: places.taken == 2, "another waits")
                    wait_until(lambda: places.taken == 1, "its place is free again")
            wait_until(lambda: places.taken == 0, "so is that of the one at work")
            assert f'jtss_requests_total{{path="{path}",status="499"}} 3' in client.get("/metrics").text
        finally:
            go_on.set()
        assert client.post(path, content=packet()).status_code == 200
        assert len(begun) == 2


def test_a_hundred_clients_at_once_all_have_the_same_answer(run):
    service = made_service(run, PATIENT._replace(requests=100))
    with client_of(service) as client:
        expected = client.post("/classify", content=packet()).json()
        found = []

        def ask():
            found.append(client.post("/classify", content=packet()))

        threads = [threading.Thread(target=ask) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [response.status_code for response in found] == [200] * 100
        assert all(response.json() == expected for response in found)
        assert 'jtss_requests_total{path="/classify",status="200"} 101' in client.get("/metrics").text


def test_models_and_monitors_are_told(client, run):
    (about,) = client.get("/models").json()["models"]
    assert (about["name"], about["is_default"]) == (str(run), True)
    assert client.get("/readyz").text == "ok\n"
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_the_page_is_sent_with_its_policy(client):
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_description_names_every_path(client):
    document = client.get("/openapi.json").json()
    assert {*document["paths"]} == {
        *("/", "/classify", "/explain", "/stamps", "/models", "/example", "/metrics", "/healthz", "/readyz")
    }
    problems = document["paths"]["/classify"]["post"]["responses"]["422"]["content"]
    assert [*problems] == ["application/problem+json"]
    json.dumps(document, allow_nan=False)
