"""What a service has done, as Prometheus reads it."""

from data_prep.ledger import Rejection
from jtss.serving.http.tally import Tally


def test_packets_and_requests_are_counted():
    tally = Tally()
    tally.answered([{"class": "SN"}, {"class": "SN"}, Rejection("bad_jd", "", "body")], began=1.0, now=3.0)
    for status in (200, 200, 422):
        tally.requested("/classify", status)
    lines = tally.text(2, True).splitlines()
    for line in (
        'jtss_answers_total{class="SN"} 2',
        'jtss_dead_letters_total{reason="bad_jd"} 1',
        "jtss_latency_seconds_sum 6.0",
        'jtss_requests_total{path="/classify",status="200"} 2',
        'jtss_requests_total{path="/classify",status="422"} 1',
        "jtss_requests_at_work 2",
        "jtss_ready 1",
    ):
        assert line in lines
    assert tally.totals() == {"requests": 3, "answers": 2, "rejected": 1}
    told = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert told == {  # neither a sink nor a registry, which a service of requests has not, nor the lag of a topic
        *("jtss_answers_total", "jtss_dead_letters_total", "jtss_latency_seconds"),
        *("jtss_requests_total", "jtss_requests_at_work", "jtss_ready"),
    }
    assert "jtss_ready 0" in tally.text(0, False).splitlines()
