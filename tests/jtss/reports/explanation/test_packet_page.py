"""The page of one alert: its light curve, the answers under it, and where they changed in words."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from helpers.made_explained import ONE, run_of_packets
from helpers.made_sequences import sequences
from jtss.reports.explanation import packet, packet_page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of_packets(tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="module")
def explained(run):
    return packet.explain(run, ONE, "here", "a test")


def test_the_page_says_it(explained):
    document, of_packet = explained
    page = packet_page.html(document, of_packet)
    assert page.count("<img") == 4
    for text in ("How the answer came about", "What the answer rests on", "Which parts of the stamps matter"):
        assert text in page
    for row in document["rows"]:
        assert f"{row['days']:+.2f} d" in page
    assert f"{document['explained']['n_limits']} upper limits" in page


def test_an_alert_without_a_past_has_a_page(run):
    alone = sequences([1])
    document, of_packet = packet.explain(run, replace(alone, metadata=np.abs(alone.metadata)), "here", "a test")
    assert [row["kind"] for row in document["rows"]] == ["alert"]
    assert "The packet tells nothing of the past" in packet_page.html(document, of_packet)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("SN", "alert")], "The packet tells nothing of the past: SN by the alert alone."),
        (
            [("VS", "limit"), ("SN", "alert")],
            "It was not detected in the 30 days before: SN by the alert and the limits.",
        ),
        ([("AGN", "limit"), ("SN", "detection"), ("SN", "alert")], "SN from the first detection on."),
        ([("VS", "detection"), ("SN", "alert")], "VS after the first detection, SN with the alert itself."),
        (
            [("VS", "detection"), ("AGN", "limit"), ("SN", "alert")],
            "VS after the first detection, AGN with the limit 2.5 days before the alert, SN with the alert itself.",
        ),
    ],
)
def test_where_the_answer_changed_is_said(rows, expected):
    days = [-9, -2.5, 0][3 - len(rows) :]
    changes = [False, *(a[0] != b[0] for a, b in pairwise(rows))]
    entries = [
        {"class": name, "kind": kind, "days": at, "changes_the_class": change}
        for (name, kind), at, change in zip(rows, days, changes, strict=True)
    ]
    assert packet_page._in_words(entries) == expected
