"""Under a table stands what is missing from it, and why, and what it was measured with."""

from helpers.made_experiments import DATA_HASH, made_result
from jtss.paper import grids, notes
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured
from jtss.paper.runner import Left

PLAN = grids.metadata_models(choose("table7", EXPERIMENTS["table7"].extent, seeds=2))
TRIALS = [trial for setup in PLAN for trial in grids.trials(setup, DATA_HASH)]


def test_nothing_is_said_of_a_complete_table():
    assert notes.what_is_missing(PLAN, [], Left({}, {}, False), begun=0) == []


def test_what_is_missing_is_counted_with_who_trains_it_and_why_it_failed():
    left = Left({TRIALS[0].id: "process 7", TRIALS[1].id: "process 7", "another": "process 8"}, {}, True)
    lines = notes.what_is_missing(PLAN, TRIALS[:3], left, begun=1)
    assert lines[0].startswith(f"MISSING: 3 of {len(TRIALS)} trainings: {PLAN[0].label} (2 of 2 seeds); ")
    assert lines[1:] == [
        "1 of these is begun and will go on from the last saved step.",
        "2 of these are being trained by process 7.",
        "Stopped before the end; the same command goes on.",
    ]


def test_of_many_failures_a_few_are_named():
    failed = {trial.id: f"seed {i}" for i, trial in enumerate(TRIALS[:8])}
    lines = notes.what_is_missing(PLAN, TRIALS[:8], Left({}, failed, False), begun=0)
    assert [line for line in lines if line.startswith("FAILED")] == [f"FAILED: seed {i}." for i in range(6)]
    assert "2 more failed; each is named by a warning." in lines


def test_times_of_several_devices_are_not_to_be_compared():
    one, other = made_result(TRIALS[0]), made_result(TRIALS[1], device="another")
    for results, n_lines in (([one], 1), ([one, other], 2)):
        lines = notes.with_what(PLAN, Measured({result.id: result for result in results}, DATA_HASH))
        assert len(lines) == n_lines
        assert lines[0].startswith("Test objects: 30. Trained on: made")
    assert "do not compare them" in lines[1]
    assert notes.with_what(PLAN, Measured({}, DATA_HASH)) == []
