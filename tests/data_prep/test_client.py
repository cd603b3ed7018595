"""The client, against a service that does what a test tells it to."""

import httpx
import pytest

from data_prep import client as clients
from data_prep.client import ATTEMPTS, Client, Request
from data_prep.lost import ABSENT, DAMAGED, FAILED, NOT_ASKED, Lost
from helpers.fake_services import RETRY_AFTER_SECONDS, World, serving
from helpers.make_packets import small

QUESTION = "packet 1"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def services(world):
    with serving([small(1)], world) as made:
        yield made


@pytest.fixture
def client(world):
    with Client(1.0, **world.settings()) as made:
        yield made


def ask(client, services, read=lambda reply: reply, **limits):
    return client.ask(Request(f"{services.address}/get_avro", {"oid": "ZTF18aaaaaaa", "candid": "1"}), read, **limits)


def test_an_answer_says_where_it_came_from(client, services, world):
    reply = ask(client, services)
    assert reply.body == services.avro["ZTF18aaaaaaa", 1]
    assert reply.kind == "app/avro+binary"
    assert reply.url == f"{services.address}/get_avro?oid=ZTF18aaaaaaa&candid=1"
    assert reply.time == world.seconds
    assert "gunicorn" in reply.told["server"]
    assert world.pauses == []


def test_no_two_questions_are_closer_than_the_rate_says(client, services, world):
    for _ in range(3):
        ask(client, services)
    world.seconds += 0.75
    ask(client, services)
    assert world.pauses == [1.0, 1.0, 0.25]


@pytest.mark.parametrize("fault", ["broken", "half", "slow"])
def test_what_passes_is_asked_again_after_a_wait_that_grows(client, services, world, fault):
    services.plant(QUESTION, fault, fault)
    assert ask(client, services).body == services.avro["ZTF18aaaaaaa", 1]
    assert services.asked == [QUESTION] * 3
    waits = [pause for pause in world.pauses if pause in (1.0, 2.0)]  # half of 2 and of 4 s: the draw is 0.5
    assert waits[0] == 1.0
    assert waits[-1] == 2.0


@pytest.mark.parametrize(
    ("fault", "reason", "n_asked"),
    [
        ("broken", "status_500", ATTEMPTS),
        ("half", "connection", ATTEMPTS),
        ("slow", "too_slow", ATTEMPTS),
        ("forbidden", "status_403", 1),
        ("circle", "redirects", clients.MOST_REDIRECTS + 1),
    ],
)
def test_what_does_not_pass_is_given_up(client, services, fault, reason, n_asked):
    services.plant_for_ever(QUESTION, fault)
    with pytest.raises(Lost, match=services.address) as lost:
        ask(client, services)
    assert (lost.value.outcome, lost.value.reason) == (FAILED, reason)
    assert len(services.asked) == n_asked


def test_a_service_that_never_answers_is_left(services, world):
    services.plant_for_ever(QUESTION, "silent")
    with Client(1.0, timeout=httpx.Timeout(0.05), **world.settings()) as client, pytest.raises(Lost) as lost:
        ask(client, services)
    assert lost.value.reason == "timeout"
    assert len(services.asked) == ATTEMPTS


def test_one_that_is_not_there_is_no_connection(world):
    with Client(1.0, **world.settings()) as client, pytest.raises(Lost) as lost:
        client.ask(Request("http://127.0.0.1:1/"), lambda reply: reply)
    assert lost.value.reason == "connection"


def test_what_is_absent_is_asked_for_once(client, services):
    services.plant_for_ever(QUESTION, "missing")
    with pytest.raises(Lost) as lost:
        ask(client, services)
    assert (lost.value.outcome, lost.value.reason) == (ABSENT, "not_found")
    assert services.asked == [QUESTION]


def test_a_redirect_is_followed(client, services):
    services.plant(QUESTION, "redirect")
    assert ask(client, services).url.endswith("&again=1")


@pytest.mark.parametrize(("fault", "seconds"), [("busy", RETRY_AFTER_SECONDS), ("busy_till", 60)])
def test_a_service_is_given_the_rest_that_it_asks_for(client, services, world, fault, seconds):
    services.plant(QUESTION, fault)
    began = world.seconds
    ask(client, services)
    assert world.seconds == pytest.approx(began + seconds, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("", None), ("soon", None), ("12", 12.0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0)],
)
def test_what_a_service_asks_for_in_other_words(client, text, seconds):
    assert client._seconds(text) == seconds


def test_one_that_asks_for_a_day_is_asked_no_more(client, services, world):
    services.plant(QUESTION, "busy_for_a_day")
    with pytest.raises(Lost) as lost:
        ask(client, services)
    assert (lost.value.outcome, lost.value.reason) == (FAILED, "status_429")
    assert "86400 s" in client.refusal
    with pytest.raises(Lost) as lost:
        ask(client, services)
    assert lost.value.outcome == NOT_ASKED
    assert services.asked == [QUESTION]
    assert world.pauses == []


def test_one_that_fails_again_and_again_is_asked_no_more(client, services, monkeypatch):
    monkeypatch.setattr(clients, "FAILURES_IN_A_ROW", 3)
    services.plant_for_ever(QUESTION, "broken")

    def lose():
        with pytest.raises(Lost):
            ask(client, services)

    lose()
    lose()
    services.heal()
    ask(client, services)
    services.plant_for_ever(QUESTION, "broken")
    lose()
    lose()
    assert not client.refusal
    lose()
    assert "3 questions in a row" in client.refusal
    n_asked = len(services.asked)
    lose()
    assert len(services.asked) == n_asked


def test_an_answer_is_read_no_further_than_it_may_go(client, services):
    size = len(services.avro["ZTF18aaaaaaa", 1])
    assert len(ask(client, services, most_bytes=size).body) == size
    with pytest.raises(Lost) as lost:
        ask(client, services, most_bytes=size - 1)
    assert (lost.value.outcome, lost.value.reason) == (DAMAGED, "too_large")


def test_what_cannot_be_read_is_asked_for_again(client, services):
    heard = []

    def read(reply):
        heard.append(reply)
        if len(heard) < 3:
            raise Lost(DAMAGED, "noise", "?", again=True)
        return "sense"

    assert ask(client, services, read) == "sense"
    assert len(services.asked) == 3
