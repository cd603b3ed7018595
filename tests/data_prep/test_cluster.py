"""Work on a cluster: in order, bounded, and done once, whoever dies."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from distributed import LocalCluster

from data_prep import cluster
from data_prep.workers import IN_FLIGHT_PER_WORKER, ordered_map
from helpers.dask_cluster import DaskCluster, other_program
from helpers.made_tasks import Named, double, killed_once, poison
from jtss import files

CLOSED = "127.0.0.1:9"  # where nobody listens


@pytest.fixture(scope="module")
def threads():
    """A cluster in this process: a scheduler and two workers."""
    with (
        LocalCluster(2, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        cluster.cluster(local.scheduler_address, None, print) as joined,
    ):
        yield joined


@pytest.fixture
def machines(tmp_path, request):
    """A cluster of processes; the parameter says how many deaths of workers a task is forgiven."""
    started = DaskCluster(tmp_path, getattr(request, "param", 3))
    yield started
    started.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.02)


def test_results_come_in_order(threads):
    assert list(ordered_map(double, range(40), threads)) == list(range(0, 80, 2))


def test_no_more_items_are_taken_than_may_be_in_flight(threads):
    taken, most = [], 2 * IN_FLIGHT_PER_WORKER
    for done, _ in enumerate(threads.ordered_map(double, (taken.append(i) or i for i in range(30)))):
        assert len(taken) <= done + most
    assert len(taken) == 30


def test_large_items_are_sent_without_a_warning(threads, recwarn):
    assert list(threads.ordered_map(len, [bytes(20_000_000)])) == [20_000_000]
    assert not [warning for warning in recwarn if "large graph" in str(warning.message)]


def test_an_error_on_a_worker_is_that_of_its_item(threads):
    results = threads.ordered_map(int, ["1", "two", "3"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="'two'"):
        next(results)


def test_what_nobody_waits_for_is_cancelled(threads):
    results = threads.ordered_map(double, range(30))
    next(results)
    results.close()
    assert not threads.client.futures


def test_nobody_at_the_address(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.1)
    with pytest.raises(cluster.ClusterError, match=f"^--dask {CLOSED}: no scheduler answered in 0.1 s .*tcp://HOST"):
        cluster.Cluster(CLOSED, print)
    with pytest.raises(cluster.ClusterError, match=r"^--dask one:two: no scheduler answered"):
        cluster.Cluster("one:two", print)


def test_what_differs_is_named():
    own = cluster.versions()
    with pytest.raises(cluster.ClusterError, match=r"^worker tcp://a:1 runs another program: numpy 1\.0, here "):
        cluster._require_same("tcp://a:1", own | {"numpy": "1.0"}, own)
    cluster._require_same("tcp://a:1", dict(own), own)


def test_an_item_of_several_files_is_named_by_the_first_and_the_last():
    """Any of them may be the one that kills."""
    names = ("a.avro", "a.avro", "b.avro", "c.avro")
    assert cluster._what([Named(name) for name in names]) == "one of 3 files, a.avro to c.avro"
    assert cluster._what([Named("a.avro"), Named("a.avro")]) == cluster._what(Named("a.avro")) == "a.avro"
    assert cluster._what([]) == "[]"


@pytest.mark.slow
def test_local_processes_of_which_one_dies(tmp_path):
    """The item that it died of and those that waited with it are done by others."""
    items = [(number, str(tmp_path / "killed") if number == 3 else "") for number in range(12)]
    with cluster.cluster(cluster.LOCAL, 1, print) as local:
        assert list(local.ordered_map(killed_once, items)) == list(range(12))
        (worker,) = local.client.run(os.getpid).values()
    assert (tmp_path / "killed").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


SOURCES = [f"night{number}.avro" for number in range(4)]
POISONED = [[Named(source)] for source in [*SOURCES, "poison", "after"]]
BLAMED = "^workers died one after the other at poison; leave it"


@pytest.mark.slow
@pytest.mark.parametrize("machines", [0], indirect=True)
def test_an_item_that_kills_every_worker_is_named_and_those_beside_it_are_done(machines):
    """The scheduler blames all that waited on a worker for the first death; tried alone, one is guilty."""
    for _ in range(3):
        machines.add_worker()
    with cluster.cluster(machines.address, None, print) as joined:
        results = joined.ordered_map(poison, POISONED)
        assert [next(results) for _ in SOURCES] == SOURCES
        with pytest.raises(cluster.ClusterWorkerError, match=BLAMED):
            next(results)
        assert list(joined.ordered_map(poison, POISONED[:2])) == SOURCES[:2]


@pytest.mark.slow
def test_folders_that_killed_processes_left_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, held, begun, elsewhere = (tmp_path / f"{cluster.SCRATCH}{name}" for name in "abcd")
    for folder in (left, held, begun, tmp_path / "other"):
        (folder / "dask-scratch-space").mkdir(parents=True)
        (folder / cluster.LOCK).write_text("" if folder == begun else "process 1 on head\n")
    elsewhere.symlink_to(tmp_path / "other")
    with files.hold_lock(held / cluster.LOCK), cluster._scratch() as own:
        assert {*tmp_path.iterdir()} == {held, begun, elsewhere, tmp_path / "other", Path(own)}
        with cluster._scratch():
            assert Path(own).is_dir()
    assert {*tmp_path.iterdir()} == {held, begun, elsewhere, tmp_path / "other"}


def test_local_processes_are_started_again_until_an_item_is_blamed(impatient):
    with cluster.cluster(cluster.LOCAL, 1, print) as local, pytest.raises(cluster.ClusterWorkerError, match=BLAMED):
        list(local.ordered_map(poison, POISONED))


@pytest.mark.slow
def test_a_scheduler_that_is_killed_and_started_again(machines, impatient):
    """Of two maps at once one notices, and connects for both."""
    said = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("lost the scheduler"):
            machines.start_scheduler()
            machines.add_worker()

    machines.add_worker()
    with cluster.cluster(machines.address, None, say) as joined:
        results = zip(*(joined.ordered_map(double, range(20)) for _ in range(2)), strict=True)
        assert [next(results) for _ in range(5)] == [(0, 0), (2, 2), (4, 4), (6, 6), (8, 8)]
        machines.scheduler.send_signal(signal.SIGKILL)
        machines.scheduler.wait()
        assert list(results) == [(number, number) for number in range(10, 40, 2)]
    (lost,) = (line for line in said if line.startswith("lost"))
    assert lost.startswith(f"lost the scheduler {machines.address}; waiting for it")


def test_a_scheduler_that_does_not_come_back(machines, monkeypatch):
    machines.add_worker()
    with cluster.cluster(machines.address, None, print) as joined:
        results = joined.ordered_map(double, range(20))
        next(results)
        monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.1)
        machines.scheduler.kill()
        machines.scheduler.wait()
        with pytest.raises(cluster.ClusterError, match=r"no scheduler answered in 0\.1 s"):
            list(results)


def test_a_scheduler_that_is_lost_again_and_again(threads, monkeypatch):
    """As one that dies of what it is sent; here its clients are told to give up."""

    def cancelled(_future):
        raise cluster.CancelledError

    monkeypatch.setattr(cluster.Future, "result", cancelled)
    with pytest.raises(
        cluster.ClusterWorkerError, match=r"lost the scheduler inproc://\S+ 5 times .*, at night0\.avro;"
    ):
        list(threads.ordered_map(poison, POISONED[:1]))


def test_a_scheduler_that_is_lost_while_tasks_are_submitted_again(threads, monkeypatch):
    """Three times in a row, the first time as the first task is submitted."""
    submit, faults = threads._submit, [OSError("gone"), cluster.CommClosedError(), cluster.CancelledError()]

    def failing(function, task):
        if faults:
            raise faults.pop()
        submit(function, task)

    monkeypatch.setattr(threads, "_submit", failing)
    monkeypatch.setattr(threads, "_n_losses", 0)
    assert list(threads.ordered_map(double, range(5))) == [0, 2, 4, 6, 8]
    assert not faults


def test_workers_are_waited_for(machines, impatient):
    """The first that comes when it is asked for does all."""
    with cluster.cluster(machines.address, None, lambda line: machines.add_worker()) as joined:
        assert list(joined.ordered_map(double, range(3))) == [0, 2, 4]


def test_workers_are_not_waited_for_for_ever(machines, impatient, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0)
    with (
        cluster.cluster(machines.address, None, print) as joined,
        pytest.raises(cluster.ClusterWorkerError, match=r"no worker in 0 s; start some with: dask worker tcp://127"),
    ):
        list(joined.ordered_map(double, range(3)))


def test_a_worker_with_another_program(machines, impatient, tmp_path):
    """Also one that comes when the work has begun."""
    other = other_program(tmp_path / "other")
    differs = r"^worker tcp://127.* runs another program: jtss [\d.]+ \(code \w+\), here "
    with (
        cluster.cluster(machines.address, None, lambda line: machines.add_worker(program=other)) as joined,
        pytest.raises(cluster.ClusterError, match=differs),
    ):
        list(joined.ordered_map(double, range(3)))
    with pytest.raises(cluster.ClusterError, match=differs):
        cluster.Cluster(machines.address, print)


def test_a_worker_without_the_program(machines, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text("import sys; sys.modules['data_prep'] = None")
    machines.add_worker(program=str(tmp_path / "bare"))
    started = cluster.Client(machines.address)
    started.wait_for_workers(1)
    started.close()
    with pytest.raises(cluster.ClusterError, match=r"cannot run this program \(ModuleNotFoundError.*data_prep"):
        cluster.Cluster(machines.address, print)
