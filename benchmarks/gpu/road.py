"""The road from an empty folder to a report: what is not finished yet, stage by stage, within a budget.

This process knows no JAX, so that the device is free for the stages, each a process of its own. A stage that is stopped
or fails leaves the results of the others whole; the same command goes on.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu import report, stages
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.stages import BY_NAME, LOGS, RESULTS, STAGES, WORK, Stage
from jtss import exits, files
from jtss.errors import InputError

ROOT = Path(__file__).parents[2]
NEEDED = ("jax", "jaxlib", "flax", "optax", "orbax.checkpoint", "h5py", "numpy", "scipy", "matplotlib", "tqdm")
SECONDS = {"s": 1, "m": 60, "h": 3600}
GRACE_SECONDS = 20.0  # for a process to save what it has, once asked to end
SIZES_FILE = "sizes.json"


class Stopped(Exception):
    """A signal has asked for the end; `number` says which."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is left to do; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--budget", type=seconds_of, default="12m", metavar="12m", help="time for all stages (s, m, h; default: 12m)")
    add("--out", type=Path, default=Path("gpu"), metavar="DIR", help="folder of everything (default: gpu)")
    add("--toy", action="store_true", help="at toy sizes, also on a CPU: the same road, numbers that mean nothing")
    options = parser.parse_args(arguments)
    try:
        return walk(options.out, Budget(options.budget), "toy" if options.toy else "full")
    except (InputError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return exits.FAILED


def seconds_of(text: str) -> float:
    """A time as 90s, 12m or 1h30m, in seconds."""
    parts = re.findall(r"(\d+)([smh])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text}: expected a time as 90s, 12m or 1h30m")
    return float(sum(int(number) * SECONDS[unit] for number, unit in parts))


def walk(out: Path, budget: Budget, sizes: str) -> int:
    """Do the stages that are not finished.

    Raises:
        InputError: a package is missing, the folder is of other sizes, or JAX has no GPU here and `sizes` is "full".
        OSError: the folder cannot be written.
    """
    require_packages()
    prepare(out, sizes)
    road = Road(out, budget, sizes)
    for number in exits.SIGNALS:
        signal.signal(number, road.stop)
    try:
        road.do(BY_NAME["machine"])
        require_device(out, sizes)
        road.do_all()
    except Stopped as stopped:
        report.write(out, budget.spent)
        print(f"stopped; what is finished is in {out}, and the same command goes on", flush=True)
        return exits.status_of(stopped.number)
    finally:
        road.end()
    path = report.write(out, budget.spent)
    print(f"{budget.spent:.0f} s of {budget.seconds:.0f} s; to read: {path}; to bring back: {path.parent}", flush=True)
    return 0


def require_packages(names: Sequence[str] = NEEDED) -> None:
    """Raise InputError where this interpreter lacks a package; nothing is imported, which may take long."""
    missing = [name for name in names if not _is_there(name)]
    if missing:
        raise InputError(
            f"{sys.executable} lacks {', '.join(missing)}; name an interpreter that has them (make gpu PYTHON=...), or"
            " set one up: make .venv/ready, then make gpu PYTHON=.venv/bin/python"
        )


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # of the package around it
        return False


def prepare(out: Path, sizes: str) -> None:
    """Make the folder, or make sure that what is in it is of the same sizes."""
    files.require_writable(out)
    for name in (RESULTS, LOGS, WORK):
        (out / name).mkdir(parents=True, exist_ok=True)
    path = out / SIZES_FILE
    if not path.exists():
        files.write(path, json.dumps(sizes) + "\n")
    if (there := json.loads(path.read_text())) != sizes:
        raise InputError(f"{out} holds results at {there} size, asked for is {sizes} size; choose another --out")


def require_device(out: Path, sizes: str) -> None:
    """Raise InputError where full sizes are asked for, and JAX has no GPU here."""
    path = stages.result(out, "machine")
    if not path.is_file():
        raise InputError(
            f"JAX did not start, or not in time; see {out / LOGS / 'machine.log'}, or give it a longer --budget"
        )
    platform = json.loads(path.read_text())["hardware"]["platform"]
    if sizes == "full" and platform != "gpu":
        path.unlink()  # the next run may have one
        raise InputError(f"JAX computes on the {platform} here, expected a GPU; --toy takes the same road on a CPU")


class Road:
    """Stages as processes: one after another on the device, beside them those that want a CPU only.

    Attributes:
        out: folder of everything.
        budget: that all stages share.
        sizes: "full" or "toy".
    """

    def __init__(self, out: Path, budget: Budget, sizes: str):
        self.out, self.budget, self.sizes = out, budget, sizes
        self._children: list[subprocess.Popen] = []
        self._over = {stage.name: threading.Event() for stage in STAGES}
        self._ending, self._lock = False, threading.Lock()

    def stop(self, number: int, _frame: object) -> None:
        """A signal: leave from wherever the main thread is. A second one has no effect."""
        for each in exits.SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    def do_all(self) -> None:
        """Every stage that is not finished and for which there is time."""
        aside = threading.Thread(target=self._do_each, args=([stage for stage in STAGES if stage.on_cpu],), daemon=True)
        aside.start()
        self._do_each([stage for stage in STAGES if not stage.on_cpu])

    def _do_each(self, chosen: Sequence[Stage]) -> None:
        for stage in chosen:
            self.do(stage)

    def do(self, stage: Stage) -> None:
        """One stage, once those that it needs are over."""
        try:
            if not self._ending and stages.is_wanted(self.out, stage):
                self._do(stage)
        finally:
            self._over[stage.name].set()

    def _do(self, stage: Stage) -> None:
        for name in (*stage.needs, *stage.begun):
            self._wait(self._over[name])
        lacking = [name for name in stage.needs if not stages.is_finished(self.out, BY_NAME[name])]
        lacking += [name for name in stage.begun if not (self.out / LOGS / f"{name}.log").exists()]
        limit = self._limit(stage)
        if lacking or not limit:
            self._say(stage, f"not begun: {f'{lacking[0]} is not finished' if lacking else 'no time is left for it'}")
            return
        self._say(stage, f"at most {limit:.0f} s …")
        began = self.budget.spent
        status = self._run(stage, limit)
        how = "finished" if stages.is_finished(self.out, stage) else f"not finished, exit status {status}"
        self._say(stage, f"{how} after {self.budget.spent - began:.0f} s")
        if not stage.on_cpu:
            report.write(self.out, self.budget.spent)

    def _wait(self, event: threading.Event) -> None:
        while not event.wait(0.2):  # in naps, because Python handles signals between them only
            if self._ending or not self.budget.left:
                return

    def _limit(self, stage: Stage) -> float:
        """Seconds for a stage that begins now; 0 where they are too few for it. A toy leaves no more than a second."""
        full = self.sizes == "full"
        limit = self.budget.limit(share=stage.share, until=stage.until, keep=stage.keep if full else 0)
        return limit if limit >= (stage.least if full else 1) else 0.0

    def _run(self, stage: Stage, limit: float) -> int:
        """Run the process of a stage, and end it at its limit; what it prints is in its log. Returns its status."""
        command = [sys.executable, "-m", "benchmarks.gpu.work", stage.name, "--out", str(self.out.resolve())]
        command += ["--seconds", f"{limit:.1f}", "--sizes", self.sizes]
        with open(self.out / LOGS / f"{stage.name}.log", "ab", buffering=0) as log:
            log.write(f"begun with at most {limit:.0f} s, and ended without a word if this is the last\n".encode())
            with self._lock:  # none begins once the others are being ended
                if self._ending:
                    return exits.FAILED
                child = subprocess.Popen(
                    command, cwd=ROOT, env=environment(stage), stdout=log, stderr=log, start_new_session=True
                )
                self._children.append(child)
            return _ended(child, limit)

    def end(self) -> None:
        """End what is still running: ask, wait a little, insist."""
        with self._lock:
            self._ending = True
        for child in self._children:
            _send(child, signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        for child in self._children:
            _waited(child, until - time.monotonic())
            _send(child, signal.SIGKILL)

    def _say(self, stage: Stage, what: str) -> None:
        print(f"[{self.budget.spent:4.0f} s] {stage.name}: {what}", flush=True)


def environment(stage: Stage) -> dict[str, str]:
    """What the process of a stage finds set."""
    given = dict(os.environ)
    if stage.on_cpu:
        given["JAX_PLATFORMS"] = "cpu"  # the device's memory is the others'
    if stage.xla_flags:
        given["XLA_FLAGS"] = f"{given.get('XLA_FLAGS', '')} {stage.xla_flags}".strip()
    return given


def _ended(child: subprocess.Popen, limit: float) -> int:
    """The status of a process, which is asked to end at its limit, and made to a little later."""
    if not _waited(child, limit):
        _send(child, signal.SIGTERM)
        if not _waited(child, GRACE_SECONDS):
            _send(child, signal.SIGKILL)
    return child.wait()


def _waited(child: subprocess.Popen, seconds: float) -> bool:
    """Whether a process has ended within so many seconds."""
    try:
        child.wait(max(seconds, 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def _send(child: subprocess.Popen, number: int) -> None:
    """A signal to a process and to all that it has started."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
