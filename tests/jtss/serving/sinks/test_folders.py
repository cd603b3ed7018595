"""Whole files that a replay replaces."""

import json
import os
import sys

import pytest

from helpers import small_disk
from helpers.made_messages import ANSWER, answered, outcome, outcomes, places, received
from jtss.inference.table import Classifier
from jtss.serving.messages import Partition
from jtss.serving.sinks import folders, forms
from jtss.serving.sinks.folders import FolderSink, file_name
from jtss.serving.sinks.sink import DEAD, SinkError

CLASSIFIER = Classifier(ANSWER["model"], ANSWER["classifier_version"], tuple(ANSWER["probabilities"]), 1)
FIRST, SECOND = Partition("alerts", 0), Partition("alerts", 1)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def name(number, offset):
    return f"alerts-{number}-{offset:020d}.jsonl"


def test_files_are_of_a_partition_and_its_first_offset(tmp_path):
    sink = FolderSink(tmp_path / "new", 0)
    assert not sink.is_due()
    sink.add(outcomes([received(5), received(2, number=1), received(6, b"bad")]))
    sink.add(outcomes([received(3, number=1)]))
    assert sink.is_due()
    assert sink.first_offsets() == {FIRST: 5, SECOND: 2}
    assert names(tmp_path / "new") == []
    assert len(sink.deliver()) == 4
    assert names(tmp_path / "new") == sorted([name(0, 5), name(1, 2), f"{DEAD}/{name(0, 5)}"])
    assert places((tmp_path / "new" / name(1, 2)).read_text().splitlines()) == [(1, 2), (1, 3)]
    assert not sink.is_due()
    assert sink.deliver() == []


def test_a_replay_replaces_what_was_written(tmp_path):
    """It may be cut elsewhere, before the dead letter."""
    first, second = FolderSink(tmp_path, 0), FolderSink(tmp_path, 0)
    first.add(outcomes([received(0), received(1), received(2, b"bad")]))
    first.deliver()
    second.add(outcomes([received(0), received(1)]))
    second.deliver()
    assert names(tmp_path) == [name(0, 0)]
    second.add(outcomes([received(2, b"bad")]))
    second.deliver()
    assert names(tmp_path) == [name(0, 0), f"{DEAD}/{name(0, 2)}"]


def test_files_are_due_by_time_or_size(tmp_path, monkeypatch):
    sink = FolderSink(tmp_path, 1e6)
    sink.add(outcomes([received(0)]))
    assert not sink.is_due()
    monkeypatch.setattr(folders, "MOST_BYTES", 10)
    assert sink.is_due()


def test_a_folder_that_vanishes_is_not_made_anew_and_nothing_is_lost(tmp_path):
    """It may be that of a disk that is not mounted any more."""
    folder = tmp_path / "out"
    sink = FolderSink(folder, 0)
    sink.add(outcomes([received(0), received(1, b"bad")]))
    (folder / DEAD).rmdir()
    folder.rmdir()
    with pytest.raises(
        SinkError, match=r"out/dead cannot be written: No such file or directory; bring the folder back"
    ):
        sink.deliver()
    assert not folder.exists()
    folder.mkdir()
    assert len(sink.deliver()) == 2
    assert names(folder) == [name(0, 0), f"{DEAD}/{name(0, 0)}"]


ON_A_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from helpers.made_messages import outcome, received
from jtss.serving.sinks.folders import FolderSink
from jtss.serving.sinks.sink import SinkError

def attempt():
    try:
        print(len(sink.deliver()), "delivered")
    except SinkError as error:
        print(error)

disk = Path(sys.argv[1])
sink = FolderSink(disk / "out", 0)
large = outcome(received(1))
sink.add([outcome(received(0)), large._replace(line='{"much": "' + "m" * 300_000 + '"}')])
(disk / "other").write_bytes(bytes(700_000))
attempt()
(disk / "other").unlink()
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
attempt()
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
attempt()
print([path.name for path in sorted((disk / "out").iterdir())])
"""


@pytest.mark.slow
def test_a_disk_that_is_full_or_read_only_is_said_and_nothing_is_lost(tmp_path):
    done = small_disk.run(800_000, tmp_path, sys.executable, "-c", ON_A_SMALL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out" / name(0, 0)
    assert done.stdout.splitlines() == [
        f"{path} cannot be written: No space left on device; make room there",
        f"{path} cannot be written: Read-only file system; let this user write there",
        "2 delivered",
        str([name(0, 0), DEAD]),
    ]


def test_only_old_parts_of_answers_are_removed_at_the_start(tmp_path):
    (tmp_path / DEAD).mkdir()
    old = [
        tmp_path / f".{name(0, 0)}.1.partial",
        tmp_path / DEAD / f".{name(1, 7)}.12345.partial",
        tmp_path / f".a.b-c-12-{5:020d}.parquet.77.partial",
    ]
    young, others = tmp_path / f".{name(0, 5)}.2.partial", [tmp_path / name(0, 0), tmp_path / ".report.json.5.partial"]
    for path in (*old, young, *others):
        path.touch()
    for path in (*old, *others):
        os.utime(path, (0, 0))
    FolderSink(tmp_path, 0)
    assert names(tmp_path) == sorted(path.name for path in (young, *others))


@pytest.mark.parametrize("form", [forms.JSON_LINES, forms.Form("parquet", None, lambda lines: b"", ".parquet")])
def test_the_longest_names_of_topics_can_be_written(tmp_path, form):
    """Two that differ in the last of 249 characters have files of their own."""
    for last in "ab":
        sink = FolderSink(tmp_path, 0, form)
        message = received(0)._replace(partition=Partition("t" * 248 + last, 2**31 - 1), offset=2**63 - 1)
        sink.add([outcome(message), outcome(message._replace(value=b"bad"))])
        sink.deliver()
    assert len(names(tmp_path)) == 4
    longest = file_name(message.partition, message.offset, ".parquet")
    assert len(f".{longest}.{2**22}.partial") <= 255
    assert file_name(Partition("t" * 180, 0), 0, ".jsonl") == "t" * 180 + f"-0-{0:020d}.jsonl"


def test_files_have_the_form_that_is_asked_for_and_dead_letters_theirs(tmp_path):
    sink = FolderSink(tmp_path, 0, forms.form_of("kowalski", CLASSIFIER))
    sink.add([answered(0), outcome(received(1, b"bad"))])
    sink.deliver()
    found = json.loads((tmp_path / name(0, 0)).read_text())
    assert found == forms.kowalski(ANSWER)
    assert places((tmp_path / DEAD / name(0, 0)).read_text().splitlines()) == [(0, 1)]


def test_partitions_are_forgotten(tmp_path):
    sink = FolderSink(tmp_path, 0)
    sink.add(outcomes([received(0), received(0, number=1)]))
    sink.forget([FIRST, Partition("other", 9)])
    assert [one.message.partition for one in sink.deliver()] == [SECOND]


def test_what_others_have_answered_is_forgotten_and_the_rest_delivered(tmp_path):
    sink = FolderSink(tmp_path, 0)
    sink.add(outcomes([*map(received, range(10, 15)), received(0, number=1)]))
    sink.forget_before({FIRST: 12, SECOND: 1})
    assert sink.first_offsets() == {FIRST: 12}
    assert [one.message.offset for one in sink.deliver()] == [12, 13, 14]
    assert names(tmp_path) == [name(0, 12)]


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        FolderSink(tmp_path / "file" / "out", 0)
