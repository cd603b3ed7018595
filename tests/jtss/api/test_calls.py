"""What all calls have in common: imported at once, one family of errors, warnings at the line that asked."""

import subprocess
import sys
from dataclasses import replace

import pytest

import jtss
from helpers.made_runs import SPLIT, untrained, write_data
from helpers.make_packets import alert, save
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from jtss import dataset
from jtss.errors import InputError


@pytest.fixture(scope="module")
def model():
    return jtss.load_model("n1_enhanced")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("trained"))


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_is_instant_and_changes_no_environment():
    code = "import os, sys; before = dict(os.environ); import jtss; print(jtss.__version__, dict(os.environ) == before,"
    code += " sorted({'numpy', 'jax', 'h5py', 'astropy', 'data_prep'} & set(sys.modules)))"
    assert python(code).split(maxsplit=1) == [jtss.__version__, "True []\n"]


def test_everything_that_is_offered_is_there():
    assert set(jtss.__all__) <= set(dir(jtss))
    for name in jtss.__all__:
        assert getattr(jtss, name)
    with pytest.raises(AttributeError, match="nonsense"):
        jtss.nonsense  # noqa: B018 - the attribute is what is tested


def test_classifying_loads_no_optimizer_no_pictures_and_starts_no_process(tmp_path):
    save(tmp_path / "night", [alert()])
    code = f"import jtss, sys; folder = {str(tmp_path / 'night')!r};"
    code += " table = jtss.load_model('n1_enhanced').classify(folder); print(len(table),"
    code += " sorted({'optax', 'orbax', 'matplotlib', 'scipy', 'multiprocessing.spawn'} & set(sys.modules)))"
    assert python(code) == "1 []\n"


def test_other_bad_input_is_of_the_same_family(model, trained, tmp_path):
    for wrong in (
        lambda: jtss.load_model("n9"),
        lambda: jtss.open_dataset(tmp_path / "absent.h5"),
        lambda: jtss.get_config("demos"),
        lambda: jtss.get_config("demo", training={"iteration": 3}),
        lambda: jtss.simulate(3, out=tmp_path / "x.h5", classes=["galaxy"]),
        lambda: jtss.read_alerts(alert(), allwise=tmp_path / "absent.csv"),
        lambda: jtss.load_model(trained / "run").classify(alert(), calibrated=True),
        lambda: jtss.train("demo", tmp_path / "absent.h5", tmp_path / "run"),
        lambda: jtss.evaluate(model, trained / "made.h5", split="none"),
    ):
        with pytest.raises(InputError):
            wrong()


def test_errors_advise_arguments_of_python(trained, tmp_path):
    """What a shell would be told is spelled as this caller can give it, and a shell is told its own way again."""
    run, data, out = jtss.load_model(trained / "run"), trained / "made.h5", tmp_path / "x.h5"
    write_data(tmp_path / "train.h5", split=[0] * len(SPLIT))
    out.touch()
    for message, wrong in {
        "add force=True to replace it": lambda: jtss.simulate(30, out=out),
        "choose another name with out=$": lambda: jtss.train("demo", data, out),
        "go on with it by: jtss train --resume .*; or choose another name with out=": lambda: jtss.train(
            run.trained.config, data, trained / "run"
        ),
        "^calibrated=True: .* has no temperature": lambda: run.classify(alert(), calibrated=True),
        "moved, say where by data=$": lambda: jtss.evaluate(run, tmp_path / "absent.h5"),
        "split='all' takes every labelled object": lambda: jtss.evaluate(run, tmp_path / "train.h5"),
    }.items():
        with pytest.raises(InputError, match=message) as refused:
            wrong()
        assert " --out" not in str(refused.value)
    with pytest.raises(FileExistsError, match="add --force to replace it"):
        dataset.Writer(out, survey="made", command="made")


def test_warnings_point_to_the_line_that_asked(trained, monkeypatch, model):
    """However deep in ours the reason showed."""
    run = jtss.load_model(trained / "run")
    monkeypatch.setattr("jtss.pretrained.load.load_model", lambda _: replace(run.trained, warnings=["old"]))
    asked = {
        "old": lambda: jtss.load_model("run"),
        "Fewer than 30 objects": lambda: jtss.evaluate(run, trained / "made.h5"),
        "1 alerts of unknown objects": lambda: model.classify([alert(), alert(object_id="Z" * 65)]),
    }
    for text, ask in asked.items():
        with pytest.warns(UserWarning, match=text) as warned:
            ask()
        (line,) = (line for line in warned if str(line.message).startswith(text))
        assert (line.filename, line.lineno) == (__file__, ask.__code__.co_firstlineno)
