"""Pieces of a page are escaped, JSON has null for what is undefined, and numbers read as a person writes them."""

import json
import math

from jtss.reports import page

NASTY = "<b>&\"'"


def test_plain_text_stays_text_wherever_it_is_put():
    for piece in (
        page.paragraph(NASTY),
        page.paragraph("", NASTY),
        page.facts([(NASTY, NASTY)]),
        page.table([NASTY], [[(NASTY, NASTY)], NASTY]),
        page.folded(NASTY),
        page.pictures([(NASTY, b"")]),
        page.section(NASTY),
        page.page(NASTY),
    ):
        assert NASTY not in piece
        assert "&lt;b&gt;&amp;&quot;&#x27;" in piece


def test_a_row_that_is_a_text_heads_the_whole_width():
    table = page.table(["a", "b"], ["group", [("1", "small"), ("2", "")]])
    assert '<th class="group" scope="rowgroup" colspan="2">group</th>' in table
    assert '<td>1<br><span class="muted">small</span></td><td>2</td>' in table


def test_plain_reaches_into_everything():
    assert page.plain({"a": [math.nan, (math.inf, 1)], "b": {"c": -math.inf}}) == {
        "a": [None, [None, 1]],
        "b": {"c": None},
    }


def test_json_is_strict_and_keeps_what_is_not_ascii():
    text = page.to_json({"″": [float("nan"), 1.5]})
    assert "″" in text
    assert json.loads(text, parse_constant=lambda name: 1 / 0) == {"″": [None, 1.5]}


def test_numbers_in_words():
    nan = math.nan
    assert (page.percent(0.1234), page.percent(nan)) == ("12.3 %", "–")
    assert (page.interval((0.1, 0.25)), page.interval((nan, nan))) == ("10.0–25.0 %", "")
    assert (page.points(0.01234), page.points(nan)) == ("1.23", "–")
    assert page.gain(-0.01, (-0.03, 0.01)) == "−1.0 points (−3.0 to +1.0)"
    assert (page.spread([0.9, 0.5, 0.7]), page.spread([0.9])) == ("50.0–90.0 %", "90.0 %")
    assert (page.decimal(0.12345), page.decimal(2, 1), page.decimal(nan)) == ("0.123", "2.0", "–")
