"""The section on answers over time: planted errors show at the alert, the day and the row where they were planted."""

import json
import re

import numpy as np
import pytest
from scipy import stats

from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.reports import evaluation, page
from jtss.reports.following import Followed
from jtss.reports.sections import over_time
from jtss.reports.sections.models import Contender

FIVE = (*CLASSES, "asteroid", "bogus")
N = 60
COUNTS = [5, 5, 5, 1, 2] * 12
LABEL = [0, 1, 2, 3, 1] * 12
MADE = sequences(COUNTS, label=LABEL, split=[2] * N)


def certain(label, n_classes=5):
    """0.6 for a class, the rest shared."""
    return np.where(np.arange(n_classes) == np.reshape(label, (-1, 1)), 0.6, 0.4 / (n_classes - 1))


def made_followed(wrong=()):
    """Right at every alert that an object has, but for (object, alert from 1, said class); it moves as told below."""
    at_alert = np.repeat(certain(LABEL)[:, None], 5, axis=1).astype(np.float32)
    for i, count in enumerate(COUNTS):
        at_alert[i, count:] = np.nan
    for i, n, said in wrong:
        at_alert[i, n - 1] = certain(said)
    by_days = np.full((N, 5), -1)
    by_days[:, 0] = LABEL
    by_days[:5, 0] = 4  # wrong at first, of one object of each kind
    by_days[:10, 3] = LABEL[:10]
    moves = np.arange(N) < 30
    flips = np.where(np.arange(N) < 10, 2, 0)
    return Followed(
        at_alert, by_days, np.where(moves, 4, 0), flips, np.where(moves, 0.5, 0), *np.full((3, N), -1)
    )  # fmt: skip


def own(wrong=()):
    def predict(made):
        return np.arange(made.n_objects), certain(made.label).astype(np.float32)

    evaluated = evaluation.evaluate(predict, [MADE], FIVE, 1, "test")
    return Contender("any", 1, evaluated._replace(followed=made_followed(wrong)))


def other(n, wrong=()):
    given = {f"ZTF{i}": ((LABEL[i] + 1) % 3, 0.9) for i in wrong}
    return Contender(f"n{n}", n, evaluation.evaluate(FakeClassifier(n, given), [MADE], CLASSES, n, "test"))


def test_errors_show_at_their_alert_on_all_and_on_the_same_objects():
    """Object 4 has two alerts, so its error at the second is of all objects, not of those with five; those are 36."""
    scored = over_time.scores(own(wrong=[(0, 1, 4), (1, 1, 4), (0, 3, 2), (4, 2, 0)]))
    every, same = scored["by_alerts"], scored["same_objects"]
    assert [(row["n"], row["objects"], row["correct"]) for row in every] == [
        (1, 60, 58), (2, 48, 47), (3, 36, 35), (4, 36, 36), (5, 36, 36)
    ]  # fmt: skip
    assert (same["n_alerts"], same["objects"]) == (5, 36)
    assert [row["correct"] for row in same["by_alerts"]] == [34, 36, 35, 36, 36]
    assert every[0]["wilson_interval"] == list(stats.binomtest(58, 60).proportion_ci(method="wilson"))
    assert every[0]["balanced_accuracy"]["value"] == pytest.approx(np.mean([11 / 12, 23 / 24, 1, 1]))
    assert every[1]["balanced_accuracy"]["value"] == pytest.approx(np.mean([1, 23 / 24, 1]))  # no asteroids there
    assert (every[1]["recall"]["SN"]["correct"], every[1]["recall"]["asteroid"]["objects"]) == (23, 0)


def test_the_same_objects_are_not_a_few():
    assert over_time._alerts_of_same(np.repeat([5, 4, 1], [29, 1, 50])) == 4
    assert over_time._alerts_of_same(np.array([5, 4, 2, 1])) == 2
    assert over_time._alerts_of_same(np.array([1, 1])) == 1


def test_another_model_is_compared_at_its_alert_on_its_objects():
    """n = 5 errs on objects 0 and 5, this one at alert 5 on 0 and, at other alerts, which do not count, on many."""
    wrong = [(i, 1, 4) for i in range(60)] + [(0, 5, 1)]
    (of,) = over_time.scores(own(wrong), [other(5, wrong=(0, 5))])["against"]
    assert (of["run"], of["than"], of["n_detections"], of["classes"]) == ("any", "n5", 5, list(CLASSES))
    assert (of["accuracy_run"]["objects"], of["accuracy_than"]["objects"]) == (36, 36)
    assert (of["accuracy_run"]["correct"], of["accuracy_than"]["correct"]) == (35, 34)
    assert (of["only_run"], of["only_than"], of["p_mcnemar"]) == (1, 0, 1)
    assert of["difference"] == pytest.approx(1 / 36)
    assert of["interval"][0] <= 0 < of["interval"][1]


def test_answers_of_classes_that_the_other_lacks_are_not_held_against_this_model():
    """At alert 2 it says bogus of object 1, and after that SN, which is right among the common classes."""
    mine = own()
    at_alert = mine.evaluation.followed.at_alert.copy()
    at_alert[1, 1] = (0.1, 0.25, 0.05, 0.1, 0.5)
    mine = mine._replace(evaluation=mine.evaluation._replace(followed=made_followed()._replace(at_alert=at_alert)))
    (of,) = over_time.scores(mine, [other(2)])["against"]
    assert of["accuracy_run"]["objects"] == 48
    assert (of["accuracy_run"]["correct"], of["accuracy_run_among_all"]["correct"]) == (48, 47)


def test_several_differences_are_corrected_together():
    rows = over_time.scores(own(), [other(1), other(2, wrong=range(8)), other(5)])["against"]
    assert [row["than"] for row in rows] == ["n1", "n2", "n5"]
    assert rows[1]["p_mcnemar"] == pytest.approx(2 / 2**7)  # seven of these eight have two alerts
    assert rows[1]["p_holm"] == pytest.approx(3 * 2 / 2**7)


def test_each_span_of_days_has_its_objects_and_the_gain_on_the_same():
    """Five objects are wrong after the first detection; ten, those among them, have a row after 3 to 10 days."""
    first, later = over_time.scores(own())["by_days"]
    assert (first["name"], first["objects"], first["correct"]) == ("0 days", 60, 55)
    assert (later["name"], later["objects"], later["correct"]) == ("3 to 10 days", 10, 10)
    assert later["since_first_detection"]["value"] == 0.5
    assert first["since_first_detection"] == {"value": 0, "interval": [0, 0]}


def test_stability_is_of_the_objects_that_can_move():
    """Thirty have four new rows each; ten of these flip twice."""
    stability = over_time.scores(own())["stability"]
    moved = stability[over_time.ALL_CLASSES]
    assert (moved["objects"], moved["new_rows"], moved["objects_by_flips"]) == (30, 120, [20, 0, 10])
    assert moved["flips_per_object"] == pytest.approx(20 / 30)
    assert moved["never_flips"]["value"] == pytest.approx(20 / 30)
    assert (moved["path_per_object"], moved["path_per_new_row"]) == (0.5, 0.125)
    assert stability["SN"]["objects"] == 12
    assert stability["bogus"]["objects"] == 0
    assert np.isnan(stability["bogus"]["flips_per_object"])


def numbers_of(value):
    """All numbers of a nested value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_of(item)]
    return [value] if isinstance(value, int | float) else []


def test_the_page_and_the_terminal_show_what_the_json_has():
    scored = over_time.scores(own(wrong=[(0, 1, 4)]), [other(n, wrong=(1,)) for n in (1, 2, 3, 5)])
    html, text = over_time.section(scored), over_time.text(scored)
    assert "nan" not in re.sub(r'"data:[^"]*"', "", html)
    known = {f"{100 * number:.1f}" for number in numbers_of(json.loads(page.to_json(scored))) if number is not None}
    shown = re.findall(r"(\d+\.\d)(?:–(\d+\.\d))? %", re.sub(r'"data:[^"]*"', "", html) + text)
    assert len(shown) > 60
    assert {text for pair in shown for text in pair if text} <= known
    assert "bogus recall" not in html  # without objects
    assert len(text.splitlines()) <= 10
    assert "against n5 at alert 5 (36 of AGN, SN, VS): 100.0 %, +2.8 points" in text
    assert "0.67 flips per object, 66.7 % never flip; path 0.50 per object, 0.125 per new row" in text


def test_objects_of_one_alert_alone():
    """Nothing moves, and no alert is compared with another."""
    mine = own()
    alone = mine.evaluation.followed.at_alert.copy()
    alone[:, 1:] = np.nan
    still = {name: np.zeros(N, int) for name in ("new_rows", "flips", "path")}
    followed = mine.evaluation.followed._replace(at_alert=alone, **still)
    scored = over_time.scores(mine._replace(evaluation=mine.evaluation._replace(followed=followed)))
    assert len(scored["by_alerts"]) == scored["same_objects"]["n_alerts"] == 1
    assert scored["stability"][over_time.ALL_CLASSES]["objects"] == 0
    html = over_time.section(scored)
    assert "the same" not in over_time.text(scored)
    assert "nan" not in re.sub(r'"data:[^"]*"', "", html) + over_time.text(scored)
