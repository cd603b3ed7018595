"""A Dask scheduler and its workers as processes, as on several machines, to be killed and started again."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from helpers.places import ROOT, TESTS

PROGRAM = os.pathsep.join(map(str, (ROOT, TESTS)))  # what a worker may import


class DaskCluster:
    """Processes in a folder, which also takes their logs.

    Attributes:
        address: of the scheduler.
    """

    def __init__(self, folder: Path, allowed_failures: int = 3):
        """Start a scheduler, which gives up a task when it has killed more workers than are allowed."""
        self._folder, self._processes, self._allowed_failures = folder, [], allowed_failures
        self.address = ""
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """At its old port, once it had one."""
        known = self._folder / "scheduler.json"
        known.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] or "0"
        words = ["--host", "127.0.0.1", "--port", port, "--scheduler-file", str(known), "--no-show"]
        self.scheduler = self._start("scheduler", words, PROGRAM)
        wait_until(lambda: _address(known))
        self.address = _address(known)

    def add_worker(self, *words: str, program: str = PROGRAM) -> subprocess.Popen:
        """A worker of one thread that ends for good when it is killed."""
        alone = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self._folder)]
        return self._start("worker", [self.address, *alone, *words], program)

    def _start(self, what: str, words: list[str], program: str) -> subprocess.Popen:
        settings = {"PYTHONPATH": program, "JAX_ENABLE_COMPILATION_CACHE": "0"}
        settings["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = str(self._allowed_failures)
        with open(self._folder / f"{what}{len(self._processes)}.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *words],
                cwd=self._folder,
                env=os.environ | settings,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _address(known: Path) -> str:
    """The scheduler's, "" as long as it has not written it."""
    try:
        return json.loads(known.read_text())["address"]
    except (FileNotFoundError, json.JSONDecodeError):
        return ""


def other_program(folder: Path) -> str:
    """Where a worker finds this program with one letter more."""
    for package in ("data_prep", "jtss"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "files"))
    with open(folder / "jtss" / "schema.py", "a") as file:
        file.write("#")
    return os.pathsep.join(map(str, (folder, TESTS)))


def wait_until(holds, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holds()
