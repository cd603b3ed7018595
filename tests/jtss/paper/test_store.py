"""The store of results: whole lines, damage, and what a line must agree with."""

import json
import multiprocessing

import pytest

from helpers.made_experiments import DATA_HASH, made_result
from jtss.paper import grids, results
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.store import Store

SETUPS = grids.metadata_models(choose("table7", EXPERIMENTS["table7"].extent))
CELLS = [cell for setup in SETUPS for cell in grids.of(setup, DATA_HASH)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "table7.jsonl")


def test_what_is_written_is_read(store):
    assert store.read() == ({}, [])
    made = [made_result(cell) for cell in CELLS[:3]]
    for result in made:
        store.append(result)
    assert store.read() == ({result.id: result for result in made}, [])
    assert not store.aside.exists()


def test_of_a_cell_that_is_there_twice_the_first_counts(store):
    first = made_result(CELLS[0], 0.9)
    for result in (first, made_result(CELLS[0], 0.5)):
        store.append(result)
    assert store.read()[0] == {first.id: first}


def test_a_damaged_line_is_numbered_and_kept_aside_and_the_others_are_used(store):
    made = [made_result(cell) for cell in CELLS[:3]]
    lines = [results.to_line(result) for result in made]
    half = lines[1][:100].encode()
    store.path.write_bytes(b"\n".join([lines[0].encode(), half, b"", b"\xff", lines[2].encode(), b""]))
    found, damaged = store.read()
    assert set(found) == {made[0].id, made[2].id}
    assert [damage.line for damage in damaged] == [2, 4]
    store.read()
    assert store.aside.read_bytes() == half + b"\n\xff\n"  # once, however often it is read


def test_a_line_that_is_being_written_is_not_damaged_yet(store):
    with open(store.path, "ab") as file:
        file.write(b'{"id": "ha')
    assert store.read()[1] == []
    assert not store.aside.exists()


def test_what_follows_half_a_line_of_a_killed_writer_is_whole(store):
    first, second = made_result(CELLS[0]), made_result(CELLS[1])
    store.append(first)
    with open(store.path, "a") as file:
        file.write('{"id": "cu')
    store.append(second)
    found, damaged = store.read()
    assert set(found) == {first.id, second.id}
    assert [damage.line for damage in damaged] == [2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "0" * 16}, "does not belong to its config"),
        ({"data_hash": "other"}, "does not belong to its config, data hash and seed"),
        ({"seed": 7}, "seed 7, its config has 0"),
        ({"predicted": "0" * 30}, "its predictions give"),
        ({"predicted": "0"}, "30 true and 1 predicted classes"),
        ({"truth": "9" * 30}, "label 9"),
        ({"accuracy": 0.123}, "accuracy 0.123, its predictions give"),
        ({"confusion": None}, "its predictions give"),
        ({"truth": 5}, "another type"),
        ({"more": 1}, "expected the fields id, config"),
    ],
)
def test_a_line_that_contradicts_itself_is_damaged(change, message):
    values = json.loads(results.to_line(made_result(CELLS[0], 0.9))) | change
    with pytest.raises(ValueError, match=message):
        results.from_line(json.dumps(values))


def _append(path, first):
    for cell in CELLS[first::2]:
        Store(path).append(made_result(cell))


def test_two_processes_write_at_once_and_no_line_is_lost(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(store.path, first)) for first in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found, damaged = store.read()
    assert (len(found), damaged) == (len(CELLS), [])


def test_a_store_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match=f"{tmp_path}/nowhere/x.jsonl"):
        Store(tmp_path / "nowhere" / "x.jsonl").append(made_result(CELLS[0]))
