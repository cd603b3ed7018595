"""`python evaluate.py`: one name for three verbs, and which options go with which."""

import pytest

from jtss.commands import classify, evaluate, explain
from jtss.commands.main import main


def call(*words):
    try:
        return main([*words], verb="script", prog="evaluate.py")
    except SystemExit as leaving:
        return leaving.code


@pytest.fixture
def ran(monkeypatch):
    """Names of the verbs that ran, with their options; they do nothing."""
    ran = []
    for module in (classify, evaluate, explain):
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setattr(module, "run", lambda options, name=name: ran.append((name, options)) or 0)
    return ran


def test_without_more_models_are_evaluated(ran):
    assert call("--ckpt", "one", "two", "--split", "all") == 0
    ((verb, options),) = ran
    assert (verb, list(map(str, options.models)), options.split) == ("evaluate", ["one", "two"], "all")


def test_alerts_are_classified_by_one_model(ran):
    assert call("--ckpt", "one", "--alerts", "a", "b", "--alerts", "c", "--priors", "AGN=1") == 0
    ((verb, options),) = ran
    assert (verb, str(options.model), list(map(str, options.alerts))) == ("classify", "one", ["a", "b", "c"])
    assert options.priors == "AGN=1"


def test_objects_are_explained_of_alerts_as_well(ran):
    assert call("--ckpt", "one", "two", "--alerts", "a", "--explain", "X", "Y") == 0
    ((verb, options),) = ran
    assert (verb, options.objects) == ("explain", ["X", "Y"])
    assert (str(options.model), [*map(str, options.beside)]) == ("one", ["two"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--alerts", ".", "--data", "x.h5", "--split", "test"], "--data, --split: only without --alerts"),
        (["--alerts", ".", "--ablations"], "--ablations: only without --alerts"),
        (["--explain", "X", "--ablations"], "--ablations: only without --explain"),
        (["--picture", "p.png"], "--picture: only with --alerts"),
        (["--calibrated"], "--calibrated: only with --alerts"),
        (["--coverage", "0.9"], "--coverage: only with --alerts"),
        (["two", "--alerts", "."], "--ckpt: 2 models, expected one with --alerts"),
        (["--explain", "X", "--split", "test", "--purity", "0.9"], "--split, --purity: only without --explain"),
        (["--split", "tset"], "invalid choice: 'tset'"),
    ],
)
def test_options_that_do_not_go_together_are_named(ran, capsys, words, message):
    assert call("--ckpt", "one", *words) == 2
    assert message in capsys.readouterr().err
    assert ran == []


def test_a_model_is_needed(ran, capsys):
    assert call("--alerts", "a") == 2
    assert "the following arguments are required: --ckpt" in capsys.readouterr().err
