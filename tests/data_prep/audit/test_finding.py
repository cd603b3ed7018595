"""Findings count their cases and name a few, whatever the order they come in."""

from data_prep.audit.finding import LEAK, OK, Finding, counted


def test_cases_are_counted_and_the_first_by_name_are_examples():
    (finding,) = counted(LEAK, "alerts", "candid in two splits", iter(["d", "b", "c", "a"]))
    assert (finding.count, finding.examples) == (4, ("a", "b", "c"))
    assert str(finding) == "LEAK     alerts       candid in two splits: 4 (a; b; c; …)"


def test_no_case_is_no_finding():
    assert counted(LEAK, "alerts", "candid in two splits", []) == []


def test_all_cases_shown_need_no_ellipsis_and_a_text_alone_no_count():
    (finding,) = counted(LEAK, "alerts", "candid", ["a", "b"])
    assert str(finding).endswith("candid: 2 (a; b)")
    assert str(Finding(OK, "alerts", "each once")) == "ok       alerts       each once"
