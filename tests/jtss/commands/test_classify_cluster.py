"""`jtss classify --dask`: the same table to the byte, by models that each process loads once and knows again."""

import pytest
from distributed import LocalCluster

from data_prep import ingest
from helpers.made_runs import FIRST, TINY, make_run, write_data
from helpers.make_packets import night, save
from helpers.programs import jtss
from jtss.commands import classify_cluster
from jtss.commands.classify_cluster import Recipe
from jtss.config import named
from jtss.config.settings import override
from jtss.errors import InputError
from jtss.pretrained import load

SMALL = ["stamp.crop=5", "stamp.copies=1", "stamp.rotation_range_deg=0", "encoder.filters=2,2,3,3,3", "encoder.units=3",
         "temporal.units=4", "head.units=4", "head.dropout=0", "packet.rows=6"]  # fmt: skip
OF_PACKETS = override(named.get("any_gru"), SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of packets, one of sequences, one that screens for it, and a night."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_data(folder / "made.h5")
    make_run(folder / "packets_run", OF_PACKETS, folder / "made.h5", certainty=0.05)
    make_run(folder / "run", TINY, folder / "made.h5", certainty=0.05)
    make_run(folder / "run1", FIRST, folder / "made.h5", certainty=0.005)
    save(folder / "night", night())
    return folder


@pytest.fixture(scope="module")
def threads():
    """The address of a scheduler with two workers in this process."""
    with LocalCluster(2, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local:
        yield local.scheduler_address


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    """Of one object each; and nothing is loaded yet."""
    monkeypatch.setattr(ingest, "ALERTS_PER_BATCH", 1)
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)
    classify_cluster._load.cache_clear()
    classify_cluster._answering.cache_clear()


def same(folder, out, address, *words):
    """Classify here and there; the bytes of the tables are the same. The first table."""
    tables = []
    for name, dask in (("here", []), ("there", ["--dask", address])):
        words_then = [str(out / f"{name}.{word}") if word in ("t.csv", "f.csv") else word for word in words]
        assert jtss("classify", folder / "night", *words_then, *dask) == 0
        tables.append([path.read_bytes() for path in sorted(out.glob(f"{name}.*.csv"))])
    assert tables[0] == tables[1]
    return tables[0]


def test_a_model_of_packets_answers_the_same(folder, threads, tmp_path, monkeypatch):
    """And is loaded once, not for each batch."""
    loaded = []

    def counting(path):
        loaded.append(path)
        return load_model(path)

    load_model = load.load_model
    monkeypatch.setattr(load, "load_model", counting)
    made = same(folder, tmp_path, threads, "-m", folder / "packets_run", "--out", "t.csv", "--trajectory", "f.csv")
    assert [len(table.splitlines()) > 20 for table in made] == [True, True]
    in_main, in_workers = 2, 2  # one here and one there; at most one in each of two threads that share this process
    assert in_main < len(loaded) <= in_main + in_workers


def test_a_model_of_sequences_that_is_screened_answers_the_same(folder, threads, tmp_path):
    (made,) = same(folder, tmp_path, threads, "-m", folder / "run", "--screen-bogus", folder / "run1", "--out", "t.csv")
    assert len(made.splitlines()) > 5


@pytest.mark.slow
def test_processes_answer_the_same(folder, tmp_path):
    same(folder, tmp_path, "local", "-m", folder / "packets_run", "--out", "t.csv")


def test_another_model_at_the_place_is_refused(folder):
    with pytest.raises(InputError, match=r"^on \S+: .*run1 is another model than here; expected the same on all$"):
        classify_cluster.answer(Recipe(str(folder / "run1"), "other"), None)


def test_a_model_that_is_not_there_is_named_with_the_machine():
    with pytest.raises(InputError, match=r"^on \S+: /nowhere: no such run .* on a file system that all machines share"):
        classify_cluster.screen(Recipe("/nowhere", "any"), None)


def test_a_recipe_names_a_place_that_other_machines_find(folder, monkeypatch):
    monkeypatch.chdir(folder)
    model = load.load_model("run1")
    made = classify_cluster.recipe(folder.relative_to(folder) / "run1", model, class_priors={"AGN": 1.0})
    assert (made.model, made.class_priors) == (str(folder / "run1"), (("AGN", 1.0),))
    hash(made)
