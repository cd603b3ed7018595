"""`jtss paper TABLE --dask`: the same table, whichever process trains what, and whoever dies."""

import json
import os
import re
import signal
import subprocess
import sys
from tempfile import NamedTemporaryFile
from threading import Event
from types import SimpleNamespace

import pytest
from distributed import LocalCluster

from data_prep.cluster import ClusterWorkerError
from helpers.dask_cluster import DaskCluster, wait_until
from helpers.made_experiments import MadeTrainer
from helpers.made_runs import write_data
from helpers.places import ROOT
from helpers.programs import HASTY, jtss
from jtss import exits, files
from jtss.commands import paper_cluster
from jtss.paper.experiments import TRAININGS
from jtss.paper.results import TEST
from jtss.runs.directory import LOCK

NARROW = ("--n", "2", "--models", "conv1d", "--seeds", "2")
TINY = ["stamp.channels=", "training.iterations=40", "training.patience=0", "training.batch_size=4",
        "training.validate_every=20"]  # fmt: skip


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    path = tmp_path_factory.mktemp("sky") / "sky.h5"
    write_data(path, [2] * 36, label=[i % 3 for i in range(36)], split=[i // 3 % 3 for i in range(36)])
    return path


@pytest.fixture(scope="module")
def threads():
    """The address of a scheduler with two workers in this process."""
    with LocalCluster(2, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local:
        yield local.scheduler_address


@pytest.fixture
def call(sky, monkeypatch, capsys):
    """A function that runs the command without training; returns exit status, stdout and stderr."""
    MadeTrainer(monkeypatch)
    before = {number: signal.getsignal(number) for number in exits.SIGNALS}

    def call(out, *words):
        status = jtss("paper", "table6", "--data", sky, "--out", out, *NARROW, *words)
        return status, *capsys.readouterr()

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_table_is_that_of_one_process(call, threads, tmp_path):
    assert call(tmp_path / "here")[0] == 0
    status, there, _ = call(tmp_path / "there", "--dask", threads)
    assert status == 0
    assert re.search(r"^\[\S+\] 2 alerts, conv1d", there, re.MULTILINE)
    for name in ("table6.csv", "table6-trainings.csv"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert {path.name for path in (tmp_path / "there").iterdir()} == {
        path.name for path in (tmp_path / "here").iterdir()
    }


def test_a_worker_that_does_not_see_the_folder_is_named(call, threads, tmp_path, monkeypatch):
    def on_another_disk(*, dir, prefix):
        return NamedTemporaryFile(dir=tmp_path, prefix=prefix)

    monkeypatch.setattr(paper_cluster, "NamedTemporaryFile", on_another_disk)
    status, _, err = call(tmp_path / "there", "--dask", threads)
    assert status == 2
    assert re.search(
        r"error: the worker inproc://\S+ on \S+ does not see \S+/there/\.shared\.\S+; with --dask the", err
    )


def crew(n_known=lambda: 0, warn=print, missing=()):
    client = SimpleNamespace(subscribe_topic=lambda *_words: None)
    results = SimpleNamespace(known=range(0), missing=lambda _plan: [SimpleNamespace(id=name) for name in missing])
    bench = SimpleNamespace(plan=lambda: setattr(results, "known", range(n_known())), results=results)
    return paper_cluster._Crew(SimpleNamespace(client=client), bench, (), print, warn)


def test_workers_that_die_one_after_the_other_end_it():
    made = crew()
    made._last = {"w": "2 alerts, conv1d …"}
    for number in range(paper_cluster.MOST_DEATHS - 1):
        made._running = {f"tcp://{number}": None}
        made._count_deaths(set())
    made._running = {"tcp://last": None}
    with pytest.raises(
        ClusterWorkerError, match=r"4 workers died and no training was finished; .*\[w\] 2 alerts, conv1d"
    ):
        made._count_deaths(set())


def test_workers_may_die_as_long_as_trainings_are_finished():
    """And those that had nothing more to take are asked again, for what the dead one held."""
    known, said = iter(range(1, 99)), []
    made = crew(lambda: next(known), said.append)
    for number in range(2 * paper_cluster.MOST_DEATHS):
        made._running, made._ended = {f"tcp://{number}": None, "tcp://lives": None}, {"tcp://idle": None}
        made._count_deaths({"tcp://lives", "tcp://idle"})
        assert (made._running, made._ended) == ({"tcp://lives": None}, {})
    assert said[0] == "the worker tcp://0 is gone; what it trained is free for the others"


@pytest.mark.parametrize(
    ("missing", "n_known", "are_asked"),
    [
        (["held"], [3, 3, 4, 4, 5], [True, False, True, False, True]),
        (["failed"], [3, 4], [False, False]),
        (["failed", "held"], [3, 3, 4], [True, False, True]),
        ([], [3, 4], [False, False]),
    ],
)
def test_who_ran_out_of_work_is_asked_again_when_a_training_was_finished(missing, n_known, are_asked):
    """It may have been the last of a grid, which brings those that the grid chooses; but for what failed."""
    known = iter(n_known)
    made = crew(lambda: next(known), missing=missing)
    made._failed = {"failed": "why"}
    for is_asked in are_asked:
        made._running, made._ended = {"tcp://works": None}, {"tcp://idle": None}
        made._ask_the_idle()
        assert (made._ended == {}) is is_asked
    made._ended = {}
    made._ask_the_idle()


@pytest.mark.parametrize(
    ("asked", "state", "stops"), [(False, "executing", False), (True, "executing", True), (False, "cancelled", True)]
)
def test_a_runner_stops_when_asked_and_when_its_client_is_gone(asked, state, stops):
    runner = object.__new__(paper_cluster._Asked)
    runner._event, runner._key, runner._tasks = Event(), "key", {"key": SimpleNamespace(state=state)}
    if asked:
        runner._event.set()
    assert (runner.agree(), runner.may_break_off(), runner.agreed) == (stops, stops, stops)
    assert paper_cluster._event("a") is paper_cluster._event("a")


def command(sky, out, *words):
    narrowed = [*NARROW, *(word for setting in TINY for word in ("--set", setting))]
    return [sys.executable, "-m", "jtss", "paper", "table6", "--data", sky, "--out", out, *narrowed, *words]


def results(out):
    """By training, what its model says of the test objects."""
    found = {path.parent.name: json.loads(path.read_text()) for path in (out / TRAININGS).glob(f"*/{TEST}")}
    return {name: (result["truth"], result["predicted"], result["best_step"]) for name, result in found.items()}


@pytest.mark.slow
def test_a_worker_that_is_killed_frees_what_it_held(sky, tmp_path, monkeypatch):
    """The other one trains it, to the same answers as one process that nobody kills."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    (tmp_path / "logs").mkdir()
    subprocess.run(command(sky, tmp_path / "here"), cwd=ROOT, env=HASTY, check=True, capture_output=True)
    machines = DaskCluster(tmp_path / "logs")
    try:
        for _ in range(2):
            machines.add_worker()
        words = command(sky, tmp_path / "there", "--dask", machines.address)
        main = subprocess.Popen(words, cwd=ROOT, env=HASTY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: holders(tmp_path / "there") or main.poll() is not None)
        os.kill(holders(tmp_path / "there")[0], signal.SIGKILL)
        _, err = main.communicate(timeout=600)
    finally:
        machines.close()
    assert main.returncode == 0, err
    assert "is gone; what it trained is free for the others" in err
    assert results(tmp_path / "there") == results(tmp_path / "here")


@pytest.fixture
def going_on(sky, tmp_path, monkeypatch):
    """A training without an end on a worker, with a step that it has saved, and the main process of it."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    (tmp_path / "logs").mkdir()
    machines = DaskCluster(tmp_path / "logs")
    machines.add_worker()
    words = command(sky, tmp_path / "out", "--dask", machines.address, "--set", "training.iterations=2000000")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
    main = subprocess.Popen(words, cwd=ROOT, env=HASTY, **pipes)
    signal.signal(signal.SIGINT, before)
    saved = lambda: any(path.stat().st_size for path in (tmp_path / "out").glob("*/*/metrics.jsonl"))  # noqa: E731
    wait_until(lambda: saved() or main.poll() is not None)
    yield main, tmp_path / "out"
    main.kill()
    main.communicate()
    machines.close()


@pytest.mark.slow
def test_ctrl_c_saves_what_the_workers_train(going_on):
    main, out = going_on
    main.send_signal(signal.SIGINT)
    said, _ = main.communicate(timeout=600)
    assert main.returncode == 130, said
    assert "will go on from the last saved step" in " ".join(said.split())
    assert all(is_free(path) for path in (out / TRAININGS).glob(f"*/{LOCK}"))


@pytest.mark.slow
def test_workers_stop_when_their_main_process_is_killed(going_on):
    main, out = going_on
    (lock, *_) = (path for path in (out / TRAININGS).glob(f"*/{LOCK}") if not is_free(path))
    main.kill()
    wait_until(lambda: is_free(lock))
    assert any((lock.parent / "checkpoints").iterdir())


def is_free(lock):
    try:
        with files.hold_lock(lock):
            return True
    except files.LockedError:
        return False


def holders(out):
    """Processes that train, by the locks of their trainings."""
    texts = (path.read_text() for path in (out / TRAININGS).glob(f"*/{LOCK}"))
    return [int(found[1]) for text in texts if (found := re.match(r"process (\d+) on", text))]
