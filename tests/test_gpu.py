"""The command for a GPU that is there for a short time: its budget, what it skips and refuses, the road as a toy."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT, HASTY
from jtss import files
from jtss.config import named, settings
from jtss.errors import InputError
from jtss.runs import ensemble

WHY = "run as `python -m pytest` in the root"
budget = pytest.importorskip("benchmarks.gpu.budget", reason=WHY)
report = pytest.importorskip("benchmarks.gpu.report", reason=WHY)
road = pytest.importorskip("benchmarks.gpu.road", reason=WHY)
sizes = pytest.importorskip("benchmarks.gpu.sizes", reason=WHY)
stages = pytest.importorskip("benchmarks.gpu.stages", reason=WHY)

ABSENT = ("astropy", "fastavro", "cramjam", "isal", "healpy", "pyarrow", "pandas")  # what it may lack


@pytest.fixture(scope="module")
def without_packages(tmp_path_factory) -> dict[str, str]:
    """The environment of processes, and of those that they start, where these packages cannot be imported."""
    folder = tmp_path_factory.mktemp("without")
    lines = "".join(f"sys.modules[{name!r}] = None\n" for name in ABSENT)
    (folder / "sitecustomize.py").write_text(f"import sys\n{lines}")
    return {**HASTY, "PYTHONPATH": str(folder), "JAX_PLATFORMS": "cpu"}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_what_is_left_of_it():
    clock = Clock()
    given = budget.Budget(60.0, clock)
    clock.now += 20
    assert (given.spent, given.left) == (20, 40)
    clock.now += 60
    assert given.left == 0


@pytest.mark.parametrize(
    ("spent", "asked", "expected"),
    [
        (0, {}, 595),  # the end is kept free
        (0, {"share": 0.1}, 60),
        (0, {"keep": 45}, 550),
        (580, {"share": 0.1}, 15),
        (100, {"share": 0.5, "until": 0.45}, 170),
        (300, {"until": 0.45}, 0),
        (590, {"keep": 45}, 0),
    ],
)
def test_a_stage_gets_no_more_than_its_share_and_what_is_left(spent, asked, expected):
    clock = Clock()
    given = budget.Budget(600.0, clock)
    clock.now += spent
    assert given.limit(**asked) == pytest.approx(expected)


def test_a_time_in_words():
    assert [road.seconds_of(text) for text in ("90s", "12m", "1h30m")] == [90, 720, 5400]


@pytest.mark.parametrize("text", ["12", "12 minutes", ""])
def test_a_time_that_is_none(text):
    with pytest.raises(road.argparse.ArgumentTypeError, match="expected a time as 90s"):
        road.seconds_of(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 150_000),
        ({"seconds": 100}, 60_000),  # six tenths of the time
        ({"free_bytes": 1e9}, 6000),  # six tenths of the disk
        ({"seconds": 0.001}, 100),
    ],
)
def test_how_many_objects_time_and_disk_allow(given, expected):
    trainings = pytest.importorskip("benchmarks.gpu.trainings", reason=WHY)
    asked = {"seconds": 1000, "free_bytes": 1e12, "object_seconds": 0.001, "object_bytes": 1e5} | given
    assert trainings.affordable(150_000, **asked) == expected


def of_makefile(variable: str) -> dict[str, str]:
    """The settings of a variable of the Makefile, as make expands it."""
    command = ["make", "-s", f"--eval=print: ; @echo '$({variable})'", "print"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"--set ([\w.]+)=(\S+)", text))


@pytest.mark.parametrize(
    ("variable", "recipe", "small"),
    [("FIRST_ALERT", "FIRST_ALERT", set()), ("SEQUENCES", "SEQUENCES", {"stamp.crop", "stamp.copies"})],
)
def test_the_recipes_are_those_of_the_makefile_less_what_is_one_cores(variable, recipe, small):
    ours = dict(assignment.split("=", 1) for assignment in getattr(sizes, recipe))
    theirs, of_one_core = of_makefile(variable), of_makefile("ONE_CORE").keys() | small
    rate = {"training.learning_rate"}  # of large batches
    assert {name: value for name, value in theirs.items() if name not in of_one_core | rate} == {
        name: value for name, value in ours.items() if name not in rate
    }


def test_the_full_recipe_of_the_first_alert():
    full = sizes.FULL.first_alert
    assert (full.encoder.kernels, full.stamp.crop, full.stamp.copies) == ((4, 3, 3, 3, 3), 33, 4)
    assert (full.training.batch_size, full.training.iterations, full.training.decay) == (128, 13_000, "cosine")
    assert (full.head.units, full.hide.counters, full.training.class_balance) == ((128, 128), 0.4, "counts")
    assert {"has_counters", "has_rb", "has_place"} <= {*full.metadata.static}
    assert len(sizes.FULL.seeds) == 3


def finish(out: Path, name: str, **values) -> None:
    """A result as a stage leaves it."""
    made = {"stage": name, "sizes": "toy", "finished": True, "seconds": 1.0, "commit": "abc", "source": "def"}
    made |= {"hardware": {"device": "a GPU", "platform": "gpu", "n_cores": 16, "processor": "a CPU"}}
    made |= {"versions": {"jax": "1"}, "values": values}
    stages.result(out, name).parent.mkdir(parents=True, exist_ok=True)
    files.write(stages.result(out, name), json.dumps(made))  # whole at once: another thread reads it
    if leaves := stages.BY_NAME[name].leaves:
        (out / stages.WORK).mkdir(exist_ok=True)
        (out / stages.WORK / leaves).write_bytes(bytes(100))


@pytest.fixture
def walked(tmp_path, monkeypatch):
    """A road whose stages finish at once, and the names of those that were done; `fails`: those that do not."""
    done, fails = [], set()

    def run(self, stage, limit):
        done.append(stage.name)
        (self.out / stages.LOGS / f"{stage.name}.log").write_text("the last line\n")
        if stage.name not in fails:
            finish(self.out, stage.name, number=1.5)
        return 0

    monkeypatch.setattr(road.Road, "_run", run)
    monkeypatch.setattr(road.signal, "signal", lambda *_: None)
    return tmp_path, done, fails


def walk(out: Path, seconds: float = 3600.0) -> int:
    return road.walk(out, budget.Budget(seconds), "toy")


def test_every_stage_is_done_once_and_a_second_run_does_none(walked):
    out, done, _ = walked
    assert walk(out) == 0
    assert sorted(done) == sorted(stages.BY_NAME)
    done.clear()
    assert walk(out) == 0
    assert done == []


def test_what_failed_is_done_again_and_what_needs_it_waits_for_it(walked):
    out, done, fails = walked
    fails.add("sequences")
    walk(out)
    assert "sequences-model" not in done
    assert "first-alert-model" in done
    done.clear()
    fails.clear()
    walk(out)
    assert done == ["sequences", "sequences-model"]


def test_a_sky_is_simulated_again_only_where_something_needs_it(walked):
    out, done, _ = walked
    walk(out)
    done.clear()
    (out / stages.WORK / stages.SKY).unlink()
    walk(out)
    assert done == []
    stages.result(out, "table8").unlink()
    walk(out)
    assert done == ["sky", "table8"]


def test_nothing_is_begun_without_time(walked, capsys):
    out, done, _ = walked
    finish(out, "machine")
    walk(out, budget.END_SECONDS)
    assert done == []
    assert "no time is left for it" in capsys.readouterr().out


def test_a_folder_is_of_one_size(walked):
    out, _, _ = walked
    walk(out)
    with pytest.raises(InputError, match="holds results at toy size, asked for is full size"):
        road.walk(out, budget.Budget(60), "full")


def test_full_sizes_want_a_gpu_and_a_toy_does_not(tmp_path):
    finish(tmp_path, "machine")
    road.require_device(tmp_path, "full")
    made = json.loads(stages.result(tmp_path, "machine").read_text())
    made["hardware"]["platform"] = "cpu"
    stages.result(tmp_path, "machine").write_text(json.dumps(made))
    road.require_device(tmp_path, "toy")
    with pytest.raises(InputError, match="JAX computes on the cpu here, expected a GPU; --toy"):
        road.require_device(tmp_path, "full")


def test_a_missing_package_is_named_with_what_to_do():
    road.require_packages(("json", "jax"))
    with pytest.raises(InputError, match=r"lacks nosuchpackage, no\.such; .*make gpu PYTHON="):
        road.require_packages(("json", "nosuchpackage", "no.such"))


def test_the_command_itself_imports_no_jax_which_would_hold_the_device():
    code = "import sys, benchmarks.gpu.road; print(*({'jax', 'numpy', 'jaxlib', 'h5py'} & {*sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_a_process_is_ended_at_its_limit():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    assert road._ended(child, 0.1) == -signal.SIGTERM


def test_flags_of_a_stage_are_added_to_those_of_the_user(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--own=1")
    assert road.environment(stages.BY_NAME["resume-deterministic"])["XLA_FLAGS"] == f"--own=1 {stages.DETERMINISTIC}"
    assert road.environment(stages.BY_NAME["sky"])["JAX_PLATFORMS"] == "cpu"


def test_what_is_brought_back_is_flat_and_holds_no_data_file(walked, monkeypatch):
    out, _, _ = walked
    monkeypatch.setattr(report, "ARCHIVE_BYTES", 100_000)
    run = out / stages.WORK / "runs" / "n1" / "seed-0"
    for path, size in ((run / "config.json", 10), (run / "checkpoints" / "8" / "state", 200_000)):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size))
    (out / "models").mkdir()
    (out / "models" / "n1.h5").write_bytes(b"model")
    walk(out)
    back = out / stages.BACK
    assert {path.name for path in back.iterdir()} == {"report.md", "results.json", "more.tar.gz", "n1.h5"}
    with tarfile.open(fileobj=io.BytesIO((back / "more.tar.gz").read_bytes())) as tar:
        names = {*tar.getnames()}
    assert {"sizes.json", "stages/sky.json", "logs/sky.log", "work/runs/n1/seed-0/config.json"} <= names
    assert not [name for name in names if name.endswith(".h5") or "checkpoints" in name]
    assert "stages/machine.json" not in names
    text = (back / "report.md").read_text()
    assert "Left out for their size (1): work/runs/n1/seed-0/checkpoints/8/state" in text
    assert "a GPU (gpu), 16 cores of a CPU; commit abc" in text
    assert "numbers mean nothing" in text


def test_a_report_says_how_far_a_stage_came_and_why_it_ended(walked):
    out, _, fails = walked
    fails.add("table8")
    walk(out)
    text = (out / stages.BACK / "report.md").read_text()
    assert "| TSC Table 8 | not finished: the last line |" in text
    assert "| number | 1.5 |" in text


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu", "--toy", "--out", str(out), *more]


@pytest.mark.slow
def test_without_a_gpu_it_stops_and_says_so(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path / "gpu")],
        cwd=ROOT,
        env={**ENVIRONMENT, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "error: JAX computes on the cpu here, expected a GPU; --toy" in run.stderr
    assert not stages.result(tmp_path / "gpu", "machine").exists()


@pytest.mark.slow
def test_the_road_as_a_toy_stopped_gone_on_with_and_done(tmp_path, without_packages):
    """Where packets cannot be read: no such package is on the road."""
    out, given = tmp_path / "gpu", {"cwd": ROOT, "env": without_packages, "text": True}
    first = subprocess.Popen(command(out, "--budget", "2h"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **given)
    while first.poll() is None and not stages.result(out, "tests").exists():
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate()
    assert first.returncode == 128 + signal.SIGTERM, said
    assert "the same command goes on" in said
    finished = {path.stem: path.read_bytes() for path in (out / stages.RESULTS).glob("*.json")}
    assert {"machine", "tests"} <= finished.keys()

    second = subprocess.run(command(out, "--budget", "2h"), capture_output=True, **given)
    assert second.returncode == 0, second.stderr
    logs = "\n".join(path.read_text()[-2000:] for path in (out / stages.LOGS).iterdir())
    left = [stage.name for stage in stages.STAGES if not stages.is_finished(out, stage)]
    assert not left, second.stdout + logs
    assert stages.result(out, "machine").read_bytes() == finished["machine"]
    results = json.loads((out / stages.BACK / "results.json").read_text())
    assert results["first-alert-model"]["values"]["seeds"] == 2
    assert results["resume-deterministic"]["values"]["arrays that differ, gone on with against whole"] == 0
    assert 0 < results["precision"]["values"]["bfloat16"]["gradient, distance"] < 0.5
    assert results["table8"]["values"]["tables"].startswith("TSC Table 8")
    assert {"n1_enhanced.h5", "n3_best.h5", "SHA256SUMS"} <= {*os.listdir(out / stages.BACK)}

    third = subprocess.run(command(out, "--budget", "2h"), capture_output=True, **given)
    assert third.returncode == 0
    assert "…" not in third.stdout  # nothing is begun


@pytest.mark.slow
def test_simulating_training_evaluating_and_exporting_do_without_the_packages_for_packets(tmp_path, without_packages):
    tiny = " ".join(f"--set {assignment}" for assignment in (*sizes.TINY, "training.patience=0"))
    for line in (
        "-m data_prep simulate --objects 240 --seed 3 --out sky.h5",
        f"{ROOT}/train.py --config demo --data sky.h5 --out run {tiny}",
        f"{ROOT}/evaluate.py --ckpt run",
        "-m jtss.models export run --name tiny --report run/evaluation/report.json",
        "-m jtss evaluate models/tiny.h5 --data sky.h5 --out again",
        "-m jtss models list",
    ):
        given = without_packages | {"PYTHONPATH": f"{without_packages['PYTHONPATH']}:{ROOT}"}
        run = subprocess.run([sys.executable, *line.split()], cwd=tmp_path, env=given, capture_output=True, text=True)
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
    assert (tmp_path / "models" / "tiny.h5").is_file()


class StopAfter:
    """Asks for a stop when it has been asked so often whether to."""

    def __init__(self, times: int):
        self.agreed, self._left = 0, times

    def agree(self) -> bool:
        self._left -= 1
        self.agreed = int(self._left < 0)
        return bool(self.agreed)

    def may_break_off(self) -> bool:
        return False


@pytest.mark.slow
def test_seeds_are_trained_one_by_one_and_gone_on_with(tmp_path, data_file, monkeypatch):
    trainings = pytest.importorskip("benchmarks.gpu.trainings", reason=WHY)
    job = pytest.importorskip("benchmarks.gpu.job", reason=WHY).Job(tmp_path, sizes.TOY, 60.0, lambda values: None)
    job.work.mkdir()
    job.sky.symlink_to(data_file)
    stops = iter([StopAfter(3), StopAfter(13), StopAfter(1000), StopAfter(1000)])
    monkeypatch.setattr(trainings, "StopSignals", lambda: None)
    monkeypatch.setattr(trainings, "Deadline", lambda *_: next(stops))
    config = settings.override(named.get("demo"), [*sizes.TINY, "training.patience=0"])

    in_the_first = trainings.train(job, config, (0, 1))
    assert not in_the_first.finished
    assert 0 < in_the_first.values["seed 0: steps"] < config.training.iterations
    with pytest.raises(InputError, match="no seed is finished"):
        trainings.publish(job, config, 2)
    in_the_second = trainings.train(job, config, (0, 1))
    assert not in_the_second.finished
    assert in_the_second.values["seed 0: steps"] == config.training.iterations
    folder = job.work / "runs" / "demo"
    assert [*ensemble.seed_directories(folder)] == [0]  # a model of one seed, whatever becomes of the other
    assert trainings.train(job, config, (0, 1)).finished
    assert [*ensemble.seed_directories(folder)] == [0, 1]
    with pytest.raises(InputError, match="begun with another recipe or another sky"):
        trainings.train(job, settings.override(config, ["head.units=8,8"]), (0, 1))


def test_the_archive_does_without_what_another_stage_has_just_renamed(tmp_path, monkeypatch):
    (tmp_path / "sizes.json").write_text('"toy"\n')
    paths = [tmp_path / "stages" / ".sky.json.7.partial", tmp_path / "sizes.json"]
    monkeypatch.setattr(report, "_archived", lambda out: iter(paths))
    content, left_out = report.archive(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["sizes.json"]
        assert tar.extractfile("sizes.json").read() == b'"toy"\n'
    assert left_out == []
