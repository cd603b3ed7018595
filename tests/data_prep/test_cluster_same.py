"""A cluster of any size makes the same data sets, also where it loses workers and its scheduler on the way."""

import os
import signal

import fastavro
import pytest
from distributed import LocalCluster

from data_prep import cluster, tasks
from data_prep.build import build
from data_prep.simulate import dataset
from data_prep.simulate.archive import simulate_packets
from data_prep.simulate.dataset import simulate
from data_prep.simulate.packets import encode_file
from helpers.dask_cluster import DaskCluster
from helpers.make_packets import save_tar

OBJECTS, SEED = 6, 5


@pytest.fixture(scope="module", autouse=True)
def _small_tasks():
    """Many more than are in flight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "OBJECTS_PER_CHUNK", 1)
        patch.setattr(tasks, "ALERTS_PER_TASK", 1)
        yield


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder of packets, the hash of what is built of them by one process, and that of the simulated data set."""
    folder = tmp_path_factory.mktemp("here")
    simulated = simulate(folder / "sky.h5", OBJECTS, SEED, workers=1, progress=False)
    simulate_packets(folder / "packets", OBJECTS, SEED, workers=1, progress=False)
    _part(folder / "packets" / "alerts", folder)
    return folder / "packets", made(folder / "packets", folder / "built.h5", 1), simulated


def _part(alerts, folder):
    """The same alerts, half of them in files of their own, for the workers to read, and the others in an archive."""
    contents = []
    for path in sorted(alerts.iterdir()):
        with path.open("rb") as file:
            contents += [encode_file([record]) for record in fastavro.reader(file)]
    (folder / "loose").mkdir()
    for number, content in enumerate(contents[::2]):
        (folder / "loose" / f"{number}.avro").write_bytes(content)
    save_tar(folder / "others.tar", {f"{number}.avro": content for number, content in enumerate(contents[1::2])})


def made(packets, out, workers):
    """Hash and ledger of the parts."""
    words = {"labels_path": packets / "labels.csv", "allwise_path": packets / "allwise.csv", "command": "test"}
    built = build([packets.parent / "loose", packets.parent / "others.tar"], out, workers=workers, **words)
    return built.content_hash, str(built.ledger)


def same(here, out, workers):
    """Whether a place of work makes of a seed, and of packets, what one process makes."""
    packets, built, simulated = here
    assert simulate(out / "sky.h5", OBJECTS, SEED, workers=workers, progress=False) == simulated
    simulate_packets(out / "packets", OBJECTS, SEED, workers=workers, progress=False)
    files = {path.relative_to(packets): path.read_bytes() for path in packets.rglob("*.*")}
    assert {path.relative_to(out / "packets"): path.read_bytes() for path in out.rglob("packets/**/*.*")} == files
    assert made(packets, out / "built.h5", workers) == built


def test_threads(here, tmp_path):
    with (
        LocalCluster(2, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local,
        cluster.cluster(local.scheduler_address, None, print) as joined,
    ):
        same(here, tmp_path, joined)


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 2])
def test_local_processes(here, tmp_path, n_workers):
    with cluster.cluster(cluster.LOCAL, n_workers, print) as joined:
        same(here, tmp_path, joined)


@pytest.fixture
def machines(tmp_path):
    (tmp_path / "logs").mkdir()
    started = DaskCluster(tmp_path / "logs")
    yield started
    started.close()


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_a_scheduler_and_its_workers(here, tmp_path, machines, n_workers):
    for _ in range(n_workers):
        machines.add_worker()
    with cluster.cluster(machines.address, None, print) as joined:
        same(here, tmp_path, joined)


@pytest.mark.slow
def test_a_build_that_loses_a_worker_and_then_its_scheduler(here, tmp_path, machines):
    packets, built, _ = here
    doomed, _ = machines.add_worker(), machines.add_worker()
    said, n_made = [], 0

    def say(line):
        said.append(line)
        if line.startswith("lost the scheduler"):
            machines.start_scheduler()
            machines.add_worker()

    with cluster.cluster(machines.address, None, say) as joined:
        joined.client.wait_for_workers(2)
        ordered_map = joined.ordered_map

        def struck(function, items):
            nonlocal n_made
            for n_made, result in enumerate(ordered_map(function, items), 1):
                if n_made == 3:
                    os.kill(doomed.pid, signal.SIGKILL)
                if n_made == 9:
                    machines.scheduler.kill()
                    machines.scheduler.wait()
                yield result

        joined.ordered_map = struck
        assert made(packets, tmp_path / "built.h5", joined) == built
    assert n_made > 9
    assert said
