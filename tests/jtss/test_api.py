"""What a notebook uses: the same answers as the shell, one row an object, one family of errors."""

import inspect
import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial

import fastavro
import numpy as np
import pytest
from astropy.table import Table

import jtss
from data_prep.simulate.packets import encode_file
from helpers.made_runs import SPLIT, TINY, make_run, write_data
from helpers.made_sequences import sequences
from helpers.make_packets import alert, night, save, save_tar
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from helpers.programs import jtss as shell
from jtss import dataset
from jtss.errors import InputError

CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")


@pytest.fixture(scope="module")
def model():
    return jtss.load_model("n1_enhanced")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set and the run directory of an untrained model."""
    folder = tmp_path_factory.mktemp("trained")
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    return folder


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


def test_a_table_has_a_row_for_every_object_and_its_reason(model, tmp_path):
    broken = alert("ZTF18broken", 50, stamps=[None] * 3)
    table = model.classify(save(tmp_path / "night", [*night(), broken]))
    assert table.colnames == [
        "object_id",
        "candid",
        "class",
        "probability",
        "n_detections",
        *(f"P_{c}" for c in CLASSES),
        "note",
    ]
    assert list(table["object_id"]) == ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d", "ZTF18e", "ZTF18broken"]
    assert table["candid"].tolist() == [10, 20, 30, 31, 32, None]
    assert table["candid"].dtype == np.int64
    chances = np.array([table[f"P_{name}"] for name in CLASSES]).T
    np.testing.assert_allclose(chances[:5].sum(axis=1), 1, rtol=1e-6)
    assert np.isnan(chances[5]).all()
    assert [CLASSES[i] for i in chances[:5].argmax(axis=1)] == table["class"][:5].tolist()
    np.testing.assert_array_equal(table["probability"][:5], chances[:5].max(axis=1))
    assert (table["class"][5], table["note"][5], table["note"][0]) == ("", "missing_stamp", "")
    assert table.meta == {
        "model": "n1_enhanced",
        "version": model.version,
        "jtss": jtss.__version__,
        "read": 13,
        "kept": 10,
    }


def test_the_first_example_runs_and_shows_the_class(tmp_path):
    save(tmp_path / "TONIGHT", night())
    example = "\n".join(line[4:] for line in jtss.__doc__.splitlines() if line.startswith("    "))
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert {"object_id", "candid", "class", "probability", "note"} <= set(done.stdout.split())
    assert "ZTF18e" in done.stdout


def test_alerts_come_in_any_form(model, tmp_path):
    records = night()
    folder = save(tmp_path / "night", records)
    data = encode_file(records)
    (tmp_path / "all.avro").write_bytes(data)
    archive = save_tar(tmp_path / "all.tar.gz", {"all.avro": data})
    decoded = list(fastavro.reader(io.BytesIO(data)))
    expected = model.classify(folder)
    with open(tmp_path / "all.avro", "rb") as file, open(archive, "rb") as packed:
        forms = {
            "text": str(folder),
            "several": [tmp_path / "all.avro", archive],  # each alert twice counts once
            "bytes": data,
            "archive": archive.read_bytes(),
            "file": file,
            "packed file": packed,
            "records": decoded,
            "generator": (record for record in decoded),
            "alerts": jtss.read_alerts(folder),
        }
        for form, given in forms.items():
            table = model.classify(given)
            assert table["object_id"].tolist() == expected["object_id"].tolist(), form
            assert table["candid"].tolist() == expected["candid"].tolist(), form
            for name in CLASSES:
                np.testing.assert_allclose(table[f"P_{name}"], expected[f"P_{name}"], atol=1e-6, err_msg=form)
        assert not file.closed
    assert len(model.classify([])) == 0
    assert model.classify(decoded[0])["object_id"].tolist() == ["ZTF18a"]


def test_a_record_as_brokers_hand_it_over(model):
    record = alert(candid=2481169255715015001)
    expected = model.classify(record)
    candidate = {
        name: np.float64(value) if isinstance(value, float) else value for name, value in record["candidate"].items()
    }
    cutouts = {name: value["stampData"] for name, value in record.items() if name.startswith("cutout")}
    for given in (
        {"objectId": record["objectId"], "candidate": candidate, **cutouts},
        record | {"candid": np.int64(record["candid"]), "objectId": np.str_(record["objectId"])},
        record | {"candid": str(record["candid"])},
    ):
        table = model.classify(given)
        assert table["candid"].tolist() == [2481169255715015001]
        assert table["P_SN"][0] == pytest.approx(expected["P_SN"][0], abs=1e-6)


@pytest.mark.parametrize("candid", [1.5, True, "", "one", None, 2**63])
def test_a_record_with_a_candid_that_is_none_is_a_rejection(candid):
    record = alert()
    record["candid"] = candid
    record["candidate"] = {name: value for name, value in record["candidate"].items() if name != "candid"}
    alerts = jtss.read_alerts([record, alert("ZTF18b", 7)])
    assert [(lost.reason, lost.object_id) for lost in alerts.rejections()] == [("bad_candid", "ZTF18aaaaaaa")]
    assert alerts.rejected == {"ZTF18aaaaaaa": "bad_candid"}


def test_alerts_give_account(tmp_path):
    with jtss.read_alerts(save(tmp_path / "night", night())) as alerts:
        assert (len(alerts), alerts.object_ids) == (5, ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d", "ZTF18e"])
        assert alerts.ledger == {
            "read": 12,
            "kept": 10,
            "dropped": {"beyond_first_5": 1, "within_6_hours": 1},
            "notes": alerts.ledger["notes"],
        }
        (batch,) = alerts.batches()
        assert batch.n_alerts.tolist() == [5, 2, 1, 1, 1]


def test_alerts_that_are_closed_say_so(model):
    """Whoever asks, and also where they are closed between two batches; the account stays."""
    with jtss.read_alerts(alert()) as alerts:
        begun = alerts.batches(), alerts.rejections()
    asked = [partial(next, each, None) for each in begun]
    asked += [alerts.batches, alerts.rejections, partial(model.classify, alerts), partial(model.predict_proba, alerts)]
    for ask in asked:
        with pytest.raises(InputError, match="<Alerts of 1 objects: 1 read, 1 kept>: closed; use them inside"):
            ask()
    assert (alerts.ledger["kept"], alerts.object_ids) == (1, ["ZTF18aaaaaaa"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("absent.avro", "absent.avro"),
        (b"no alert", "not_avro"),
        ({"a": 1}, "other_schema"),
        (io.StringIO("text"), "rb"),
        ([3.5], "float"),
        (7, "int"),
    ],
)
def test_what_cannot_hold_alerts_is_bad_input(model, given, says):
    with pytest.raises(InputError, match=says):
        model.classify(given)


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


def test_class_priors_are_those_of_the_shell(tmp_path):
    """The same probabilities to all their digits, and the same version."""
    save(tmp_path / "night", night())
    shares = {"AGN": 0.4, "SN": 0.1, "VS": 0.3, "asteroid": 0.15, "bogus": 0.05}
    words = ["--priors", ",".join(f"{name}={share}" for name, share in shares.items()), "--out", tmp_path / "t.csv"]
    assert shell("classify", tmp_path / "night", "-m", "n1_enhanced", *words) == 0
    table = jtss.load_model("n1_enhanced").classify(tmp_path / "night", priors=shares)
    rows = Table.read(tmp_path / "t.csv")
    assert set(rows["classifier_version"]) == {table.meta["version"]}
    assert table.meta["version"].endswith(".priors")
    ours = {(row["object_id"], name): row[f"P_{name}"] for row in table for name in CLASSES}
    assert ours == {(row["oid"], row["class_name"]): np.float32(row["probability"]) for row in rows}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"AGN": 0.5, "SN": 0.5}, "^priors=: AGN, SN, but the classes of the model are AGN, SN, VS, asteroid, bogus$"),
        (dict.fromkeys(CLASSES, 0.3), "^priors={.*}: the fractions add up to 1.5, expected 1$"),
        ("AGN=.5,SN=.5", "^priors='AGN=.5,SN=.5': expected a fraction for each class"),
        ({}, "^priors={}: "),
    ],
)
def test_priors_that_are_none_are_bad_input(model, shares, message):
    with pytest.raises(InputError, match=message):
        model.classify(alert(), priors=shares)


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


@pytest.mark.parametrize("name", ["t.ecsv", "t.vot", "t.parquet", "t.fits", "t.csv"])
def test_tables_keep_every_candid(model, tmp_path, name):
    big = 2481169255715015001  # does not survive a double
    table = model.classify([alert(candid=big), alert("ZTF18b", 50, stamps=[None] * 3)])
    how = {"format": "votable"} if name == "t.vot" else {}
    table.write(tmp_path / name, **how)
    read = Table.read(tmp_path / name)
    assert read.colnames == table.colnames
    assert read["candid"][0] == big
    assert read["candid"].mask.tolist() == [False, True]
    np.testing.assert_array_equal(np.ma.filled(read["P_SN"], np.nan), table["P_SN"])
    assert [str(text) for text in read["object_id"]] == ["ZTF18aaaaaaa", "ZTF18b"]


def test_a_table_becomes_a_data_frame(model):
    big = 2481169255715015001
    frame = model.classify([alert(candid=big), alert("ZTF18b", 50, stamps=[None] * 3)]).to_pandas()
    assert frame["candid"].tolist()[0] == big
    assert frame["candid"].isna().tolist() == [False, True]
    assert frame["class"].tolist()[1] == ""


def test_probabilities_of_a_data_set(trained):
    run = jtss.load_model(trained / "run")
    data = jtss.open_dataset(trained / "made.h5")
    assert (len(data), data.attrs["survey"], run.n_detections) == (len(SPLIT), "made", 3)
    found = run.predict_proba(data)
    assert (found.shape, found.dtype) == ((len(SPLIT), 3), np.float32)
    long_enough = np.concatenate([batch.n_alerts for batch in data.batches()]) >= 3
    np.testing.assert_array_equal(np.isfinite(found).all(axis=1), long_enough)
    np.testing.assert_array_equal(run.predict_proba(trained / "made.h5"), found)
    made = sequences((3, 2))
    made.stamps[:3] = np.nan
    assert np.isnan(run.predict_proba(made)).all()
    assert "made.h5" in run.card


def test_a_report(trained):
    run = jtss.load_model(trained / "run")
    found = jtss.evaluate(run, trained / "made.h5")
    assert found["data"]["split"] == "test"
    assert not list(trained.glob("run/evaluation*"))
    jtss.evaluate(run, jtss.open_dataset(trained / "made.h5"), out=trained / "report")
    assert (trained / "report" / "report.json").is_file()


def test_what_a_report_holds_is_said_where_it_is_asked_for(trained):
    document = jtss.evaluate(trained / "run", trained / "made.h5")
    returns = inspect.getdoc(jtss.evaluate).partition("Returns:")[2].partition("Raises:")[0]
    described = re.findall(r"^    (\w[\w, ]*): ", returns, re.MULTILINE)
    names = [name for names in described for name in names.split(", ")]
    assert sorted(names) == sorted([*document, "over_time", "subclasses"])  # these two are of models of packets alone
    assert {name for name, value in document.items() if value is None} >= {"bogus_screening", "by_detections", "seeds"}


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


def test_configurations_take_changes():
    config = jtss.get_config("demo", training={"iterations": 50}, classes=["AGN", "SN"])
    assert (config.training.iterations, config.classes) == (50, ("AGN", "SN"))
    assert replace(config, training=replace(config.training, iterations=25)).name == "demo"


def test_models_are_listed(model):
    table = jtss.list_models()
    assert {"n1_enhanced", "n3_best"} <= set(table["name"])
    assert (table["accuracy"] > 0.5).all()
    assert "n1_enhanced" in model.card
    assert repr(model) == "<Model n1_enhanced: AGN, SN, VS, asteroid, bogus from 1 detection>"
    assert repr(jtss.load_model("any")) == "<Model any: AGN, SN, VS, asteroid, bogus from one packet>"


@pytest.mark.slow
def test_a_simulated_survey_trains_a_model(tmp_path):
    data = jtss.simulate(60, 1, out=tmp_path / "sky.h5")
    changes = {"encoder": {"filters": [2] * 5, "units": [4]}, "stamp": {"copies": 1}}
    config = jtss.get_config("demo", training={"iterations": 2, "validate_every": 1, "batch_size": 4}, **changes)
    model = jtss.train(config, data, tmp_path / "run", seeds=2)
    assert len(model.trained.members) == 2
    alerts = jtss.simulate(3, 2, out=tmp_path / "alerts", classes=["AGN", "SN", "VS"])
    table = model.classify(alerts / "alerts", allwise=alerts / "allwise.csv")
    assert len(table) == 3
    assert re.fullmatch(r"[0-3] of 3 objects matched", table.meta["allwise"])


@pytest.mark.slow
def test_an_unguarded_script_runs_once_however_many_alerts(tmp_path, ztf_dir):
    script = tmp_path / "script.py"
    alerts = str(ztf_dir / "alerts")
    script.write_text(
        f"import jtss\nprint('begins')\nprint(len(jtss.load_model('n1_enhanced').classify({alerts!r})))\n"
    )
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "begins\n1282\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["n1_enhanced", "n3_best"])
def test_the_shell_says_the_same(tmp_path, ztf_dir, name):
    out = tmp_path / "predictions.csv"
    command = [sys.executable, "evaluate.py", "--ckpt", name, "--alerts", ztf_dir / "alerts", "--out", out]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    rows = Table.read(out)
    table = jtss.load_model(name).classify(ztf_dir / "alerts")
    assert set(rows["oid"]) == set(table["object_id"])
    by_object = {row["object_id"]: row for row in table}
    for row in rows:
        ours = by_object[row["oid"]]
        assert ours["candid"] == row["candid"]
        assert ours["n_detections"] == row["n_detections"]
        if row["class_name"] is np.ma.masked:
            assert ours["class"] == ""
        else:
            assert ours[f"P_{row['class_name']}"] == pytest.approx(row["probability"], abs=1e-6)
            assert (ours["class"] == row["class_name"]) == (row["ranking"] == 1)
