"""Statistics of anything but the training split are noticed, and whose they are."""

import json

import numpy as np
import pytest

from helpers.made_runs import TINY, make_run, write_data
from helpers.made_sequences import sequences
from helpers.programs import jtss
from jtss.config import named
from jtss.config.settings import override
from jtss.network import inputs
from jtss.runs import directory
from jtss.training import audit

COUNTS, LABEL = [3] * 40 + [2], [i % 3 for i in range(40)] + [0]
SPLIT = [0] * 20 + [1] * 10 + [2] * 10 + [0]
EXAMPLES = inputs.examples(sequences(COUNTS, label=LABEL, split=SPLIT), TINY)


def fitted(*splits: int) -> inputs.Statistics:
    chosen = EXAMPLES.take(np.flatnonzero(np.isin(EXAMPLES.split, splits)))
    return inputs.fit(chosen.dynamic, chosen.static, TINY.metadata)


@pytest.fixture
def run(tmp_path):
    """A run whose statistics a test may replace."""
    write_data(tmp_path / "data.h5", COUNTS, label=LABEL, split=SPLIT)
    make_run(tmp_path / "run", TINY, tmp_path / "data.h5")

    def with_statistics(made: inputs.Statistics):
        (tmp_path / "run" / directory.STATISTICS).write_text(json.dumps(made.to_dict()))
        return str(tmp_path / "run")

    return with_statistics


def test_statistics_of_the_training_split_pass(run, capsys):
    """The object of two detections is too short for the model, and does not count."""
    assert jtss("audit", run(fitted(0))) == 0
    assert "statistics.json: 27 values as 20 training objects have them" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("splits", "source"),
    [((0, 1), "those of train and validation"), ((0, 1, 2), "those of train and validation and test")],
)
def test_statistics_of_other_splits_are_named(run, capsys, splits, source):
    assert jtss("audit", run(fitted(*splits))) == 1
    line = capsys.readouterr().out
    assert line.startswith("LEAK")
    assert f"not of the 20 training objects but {source}: dynamic." in line


def test_a_single_value_by_a_single_object_is_seen(run, capsys):
    values = fitted(0).to_dict()
    values["static"]["ra"]["mean"] += 1e-7
    assert jtss("audit", run(inputs.Statistics.from_dict(values))) == 1
    assert "of no union of splits: static.ra.mean" in capsys.readouterr().out


def test_other_data_and_what_is_no_run_are_errors_of_one_line(run, tmp_path, capsys):
    path = run(fitted(0))
    write_data(tmp_path / "other.h5")
    for arguments, message in (
        ([path, "--data", str(tmp_path / "other.h5")], "other.h5: content hash"),
        ([path, "--data", str(tmp_path / "nowhere.h5")], "nowhere.h5: no such file"),
        ([str(tmp_path / "nowhere")], "nowhere: no such file"),
    ):
        assert jtss("audit", *arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_first_alert_run_which_reads_no_dynamic_values_is_audited(tmp_path, capsys):
    config = override(
        named.get("n1_enhanced"),
        ["stamp.crop=11", "stamp.copies=1", "encoder.filters=2,2,2,2,2", "encoder.units=4", "classes=AGN,SN,VS"],
    )
    write_data(tmp_path / "data.h5", COUNTS, label=LABEL, split=SPLIT)
    make_run(tmp_path / "run", config, tmp_path / "data.h5")
    examples = inputs.examples(sequences(COUNTS, label=LABEL, split=SPLIT), config)
    for splits, status in (((0,), 0), ((0, 1), 1)):
        chosen = examples.take(np.flatnonzero(np.isin(examples.split, splits)))
        stored = inputs.fit(chosen.dynamic, chosen.static, config.metadata)
        (tmp_path / "run" / directory.STATISTICS).write_text(json.dumps(stored.to_dict()))
        assert jtss("audit", tmp_path / "run") == status
    assert "those of train and validation" in capsys.readouterr().out


def test_a_model_without_metadata_has_nothing_to_leak():
    config = override(TINY, ["metadata.dynamic=", "metadata.static="])
    examples = inputs.examples(sequences(COUNTS, label=LABEL, split=SPLIT), config)
    stored = inputs.fit(examples.dynamic, examples.static, config.metadata)
    assert not audit.judge("run", stored, examples, config).leak
