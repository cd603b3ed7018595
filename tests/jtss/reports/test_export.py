"""A model file keeps what its reports measured, and takes no report that is not of it."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_models import made_model
from jtss.errors import InputError
from jtss.inference import classify
from jtss.pretrained import file, load
from jtss.pretrained.file import ModelError
from jtss.reports import card, export


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("exports"), "tiny")


def test_reports_of_another_model_or_of_a_screening_are_refused(folder, tmp_path):
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    for changes, message in (
        (
            {"model": document["model"] | {"version": "0.1.0+x"}},
            "of model 0.1.0.x, trained on .*; expected 0.1.0.20260102T",
        ),
        ({"model": document["model"] | {"trained_on_hash": "77"}}, "trained on 77; expected"),
        ({"bogus_screening": {"model": {}}}, "made with --screen-bogus"),
        ({"report_version": 1}, "report version 1, expected one of 2, 3, 4"),
        ({"results": {}}, r"no report.json of evaluate.py \(KeyError"),
    ):
        (tmp_path / "report.json").write_text(json.dumps(document | changes))
        with pytest.raises(ModelError, match=message):
            export.from_run(folder / "run", [tmp_path / "report.json"])


def test_what_is_no_report_is_refused_in_a_line(folder, tmp_path):
    """Also a data set, of one file or of many, in its place."""
    (tmp_path / "data.h5").write_bytes(b"\x89HDF" + bytes(10_000))
    for path, message in (
        (tmp_path, "a folder, expected the report.json that jtss evaluate writes"),
        (tmp_path / "data.h5", r"data.h5: no report.json of evaluate.py \(UnicodeDecodeError: 'utf-8' codec"),
    ):
        with pytest.raises(ModelError, match=message) as error:
            export.from_run(folder / "run", [path])
        assert len(str(error.value)) < 300


def test_the_temperature_of_a_report_goes_into_the_file(folder, tmp_path):
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    document["calibration"]["temperature"] = 1.5
    (tmp_path / "report.json").write_text(json.dumps(document))
    trained = export.from_run(folder / "run", [tmp_path / "report.json"])
    (tmp_path / "m.h5").write_bytes(file.to_bytes(trained))
    assert file.read(tmp_path / "m.h5").temperature == trained.temperature == 1.5


def test_a_report_of_the_version_before_still_serves(folder, tmp_path):
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    older = {
        name: value for name, value in document.items() if name not in ("sky", "slices", "selective", "calibration")
    }
    (tmp_path / "report.json").write_text(json.dumps(older | {"report_version": 2}))
    trained = export.from_run(folder / "run", [tmp_path / "report.json"])
    assert trained.temperature is None
    assert trained.results[0]["n_objects"] == 12


def written(folder, tmp_path, name, **changes):
    """A report of another model on the same data."""
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    for part, values in changes.items():
        document[part] |= values
    (tmp_path / name).write_text(json.dumps(document))
    return tmp_path / name


def test_other_models_of_the_same_training_data_stand_beside(folder, tmp_path):
    images = written(folder, tmp_path, "i.json", model={"name": "n3_images", "reads": "images", "version": "other"})
    both = {"accuracy": {"value": 0.25, "wilson_interval": [0.1, 0.5]}}
    metadata = written(
        folder, tmp_path, "m.json", model={"name": "n3_metadata", "reads": "metadata", "seeds": [0, 1]}, results=both
    )
    own = folder / "run" / "evaluation" / "report.json"
    path = export.export(folder / "run", "tiny", tmp_path / "out", reports=[own], beside=[images, metadata])
    (result,) = file.read(path).results
    assert [(one["name"], one["reads"], one["n_seeds"]) for one in result["beside"]] == [
        ("n3_images", "images", 1),
        ("n3_metadata", "metadata", 2),
    ]
    card = path.with_suffix(".md").read_text()
    assert "| n3_metadata | metadata | 2 | 12 | 25.0 % (10.0–50.0 %) |" in card
    own_row = next(line for line in card.splitlines() if line.startswith("| this model "))
    assert own_row.startswith("| this model | images and metadata | 1 | 12 | ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"trained_on_hash": "77"}}, "x.json: of a model trained on 77, expected .*, as this one"),
        ({"data": {"content_hash": "78"}}, "x.json: on data on which this model has no report"),
        ({"data": {"split": "validation"}}, "x.json: on data on which this model has no report"),
        ({"model": {"seeds": None}}, "x.json: no report.json of this version"),
    ],
)
def test_what_cannot_stand_beside_is_refused(folder, tmp_path, changes, message):
    other, own = written(folder, tmp_path, "x.json", **changes), folder / "run" / "evaluation" / "report.json"
    with pytest.raises(ModelError, match=message):
        export.export(folder / "run", "tiny", tmp_path / "out", reports=[own], beside=[other])
    assert not (tmp_path / "out").exists()


def test_a_run_that_does_not_say_what_it_learnt_from_is_refused(folder, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    provenance = json.loads(path.read_text())
    del provenance["training_data"]
    path.write_text(json.dumps(provenance))
    with pytest.raises(ModelError, match=r"run: its provenance.json has no training_data"):
        export.from_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("provenance.json", {"training_data": 7}, "TypeError"),
        ("provenance.json", {"training_data": {"survey": "a", "command": "b"}}, "expected survey, command and objects"),
        ("metrics.jsonl", {"step": 3}, "KeyError('seconds')"),
    ],
)
def test_a_run_with_a_damaged_record_is_named(folder, tmp_path, file, content, message):
    shutil.copytree(folder / "run", tmp_path / "run")
    path = tmp_path / "run" / file
    record = json.loads(path.read_text()) if file.endswith("json") else {}
    path.write_text(json.dumps(record | content) + "\n")
    with pytest.raises(ModelError, match=r"run: provenance.json or metrics.jsonl: damaged \(") as refused:
        export.from_run(tmp_path / "run")
    assert message in str(refused.value)


def test_the_time_of_a_training_in_several_lives_is_their_sum():
    records = [{"seconds": seconds} for seconds in (3.0, 5.0, 2.0, 4.0)]
    assert export._seconds(records) == 9.0
    assert export._seconds([]) == 0


def test_the_temperature_is_that_of_the_report_on_the_training_file(tmp_path):
    def report(name, **changes):
        document = {"data": {"is_training_file": True}, "calibration": {"temperature": 1.5}} | changes
        (tmp_path / name).write_text(json.dumps(document))
        return tmp_path / name

    own, other = report("own.json"), report("other.json", data={"is_training_file": False})
    older, none = report("older.json"), report("none.json", calibration={"temperature": None})
    older.write_text(json.dumps({"data": {"is_training_file": True}}))
    assert export.temperature([other, older, none, own]) == 1.5
    assert export.temperature([other, older, none]) is None


@pytest.mark.parametrize(
    ("survey", "split", "title"),
    [
        ("ZTF (simulated)", "test", "simulated test split"),
        ("ZTF (simulated)", "all", "simulated alerts"),
        ("ZTF", "all", "real alerts"),
        ("ZTF", "validation", "real validation split"),
    ],
)
def test_titles_come_from_the_data(survey, split, title):
    assert export.title({"survey": survey, "split": split}) == title


def test_commands_lose_the_folders_of_the_machine_and_nothing_else():
    assert export.command(
        "python train.py --data /a/b/sky.h5 --out=../runs/x --set stamp.channels=a,b 'two words'"
    ) == ("python train.py --data sky.h5 --out=x --set stamp.channels=a,b 'two words'")
    assert export.command("python evaluate.py --ckpt runs/mine ~/c") == "python evaluate.py --ckpt runs/mine c"
    assert export.command("python clone/train.py --out runs/x") == "python train.py --out runs/x"


def test_the_same_run_makes_the_same_bytes(folder, tmp_path):
    while int(time.time()) <= int((folder / "files" / "tiny.h5").stat().st_mtime):  # HDF5 counts in seconds
        time.sleep(0.1)
    report = folder / "run" / "evaluation" / "report.json"
    export.export(folder / "run", "tiny", tmp_path, reports=[report])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["SHA256SUMS", "tiny.h5", "tiny.md"]
    assert all((tmp_path / name).read_bytes() == (folder / "files" / name).read_bytes() for name in names)


def test_a_model_is_calibrated_by_its_report_on_other_data(folder, tmp_path):
    shutil.copytree(folder / "files", tmp_path / "files")
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    document["data"] |= {"is_training_file": False, "made_by": "jtss data simulate --seed 77", "content_hash": "77"}
    report = tmp_path / "report.json"
    before = file.load("tiny", tmp_path / "files")
    report.write_text(json.dumps(document | {"calibration": {"temperature": 1.5}}))
    path = export.calibrate("tiny", tmp_path / "files", report)
    after = file.load("tiny", tmp_path / "files")  # its sum is right
    assert (after.temperature, len(after.results)) == (1.5, len(before.results) + 1)
    assert "made by `jtss data simulate --seed 77`" in path.with_suffix(".md").read_text(encoding="utf-8")
    report.write_text(json.dumps(document | {"calibration": {}}))
    with pytest.raises(ModelError, match=r"report.json: no temperature in it"):
        export.calibrate("tiny", tmp_path / "files", report)


def test_a_calibrated_model_is_written_under_a_name_of_its_own_with_the_priors_of_the_objects(folder, tmp_path):
    document = json.loads((folder / "run" / "evaluation" / "report.json").read_text())
    document["data"] |= {"is_training_file": False, "made_by": "jtss data build --out real.h5", "content_hash": "77"}
    document["calibration"] = {"temperature": 1.5}
    support = dict(zip(document["results"]["classes"], (6, 3, 1), strict=True))
    for name, n in support.items():
        document["results"]["classes"][name]["support"] = n
    report = tmp_path / "report.json"
    report.write_text(json.dumps(document))
    before = (folder / "files" / "tiny.h5").read_bytes()
    source = str(folder / "files" / "tiny.h5")
    path = export.calibrate(source, tmp_path / "mine", report, name="real", priors=True)
    assert path == tmp_path / "mine" / "real.h5"
    assert (folder / "files" / "tiny.h5").read_bytes() == before
    calibrated = load.load_model(path)
    assert calibrated.temperature == 1.5
    assert classify.fitted_priors(calibrated) == pytest.approx({name: n / 10 for name, n in support.items()})
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "fitted to the validation split of another data set (made by `jtss data build --out real.h5`)" in text
    assert f"{next(iter(support))} 60.0 %" in text
    assert "`jtss classify ALERTS -m real --priors fitted`" in text
    plain = load.load_model(Path(source))
    with pytest.raises(InputError, match=r"--priors fitted: .*tiny.h5 has no class priors of its own"):
        classify.fitted_priors(plain)
    absent = next(iter(support))
    document["results"]["classes"][absent]["support"] = 0
    report.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=rf"report.json: no object of class {absent}, whose prior would be 0"):
        export.calibrate(source, tmp_path / "mine", report, name="real", priors=True)
    with pytest.raises(ModelError, match="--name n1_baseline is a configuration"):
        export.calibrate(source, tmp_path / "mine", report, name="n1_baseline")


def test_the_card_tells_where_a_training_began_and_from_which_files_it_drew(folder):
    """And says of no model that it has learnt from simulated alerts alone which has not."""
    trained = file.read(folder / "files" / "tiny.h5")
    own = {name: trained.provenance[name] for name in ("data", "data_hash", "training_data")}
    real = own | {"data_hash": "1234", "training_data": own["training_data"] | {"survey": "ZTF", "command": "build"}}
    sky = own | {"training_data": own["training_data"] | {"survey": "ZTF (simulated)", "command": "simulate"}}
    began = {"model": "n1_baseline", "version": "0.1.0+x.s7", "content_hash": "beef", "parts": ["encoder", "head"],
             "statistics": "the model's", "learnt_from": [sky]}  # fmt: skip
    provenance = trained.provenance | real | {"mixture": [real | {"weight": 0.75}, sky | {"weight": 0.25}]}
    text = card.text("tiny", replace(trained, provenance=provenance | {"began_with": began}), "0")
    assert "Alerts of the survey ZTF, and simulated ones." in text
    assert (
        "- 75.0 % of the training examples are drawn from this file.\n- Made by `build`; content hash `1234`." in text
    )
    assert "- 25.0 % of the training examples are drawn from this file.\n- Made by `simulate`" in text
    assert "began with weights of **n1_baseline** (version 0.1.0+x.s7, content `beef`): encoder, head." in text
    assert f"- n1_baseline learnt from `simulate`, content hash `{own['data_hash']}`." in text
    warm = card.text("tiny", replace(trained, provenance=trained.provenance | real | {"began_with": began}), "0")
    assert "Simulated alerts only" not in warm
    alone = card.text("tiny", replace(trained, provenance=trained.provenance | sky), "0")
    assert "Simulated alerts only" in alone
    assert "of the training examples are drawn" not in alone
