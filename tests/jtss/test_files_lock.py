"""The lock: one holder, named; free again when the holder ends, even by SIGKILL."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.places import ROOT
from jtss import files

HOLDER = """
import sys, time
from pathlib import Path
from jtss.files import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, tmp_path / "lock"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_and_told_who_holds_it(tmp_path, holder):
    message = f"is in use: process {holder.pid} on .+ trains it"
    with pytest.raises(files.LockedError, match=message), files.hold_lock(tmp_path / "lock"):
        pass


def test_who_waits_gets_it_when_the_holder_ends(tmp_path, holder):
    threading.Timer(0.1, holder.kill).start()
    with files.hold_lock(tmp_path / "lock", wait=True):
        assert holder.wait() == -signal.SIGKILL


def test_the_message_says_what_holders_do(tmp_path, holder):
    with pytest.raises(files.LockedError, match=r"fills it$"), files.hold_lock(tmp_path / "lock", "fills"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    with files.hold_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")


def test_it_is_free_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), files.hold_lock(tmp_path / "lock"):
            raise KeyError


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr("fcntl.flock", no_locks)
    message = f"not supported; it cannot be locked: choose a folder on another file system, .*: '{tmp_path}/lock'"
    with pytest.raises(OSError, match=message), files.hold_lock(tmp_path / "lock"):
        pytest.fail("it is not held")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_lock_that_cannot_be_written_is_named():
    with pytest.raises(OSError, match="/dev/full"), files.hold_lock(Path("/dev/full")):
        pass
