"""One stage in a process of its own: `python -m benchmarks.gpu.work NAME --out DIR --seconds S --sizes full`.

What it measures becomes the stage's result, with hardware, commit and versions beside it, written when all is
done. What is done in part only is written beside, under another name, and does not count as finished.
"""

import argparse
import datetime
import hashlib
import json
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from benchmarks.gpu import checks, speed, stages, trainings
from benchmarks.gpu.job import Job, Outcome
from benchmarks.gpu.sizes import SIZES
from jtss import exits, files
from jtss.commands import cache as programs
from jtss.errors import InputError
from jtss.runs import provenance

ROOT = Path(__file__).parents[2]
WORK: dict[str, Callable[[Job], Outcome]] = {
    "machine": checks.machine,
    "sky-small": trainings.small_sky,
    "sky": trainings.sky,
    "tests": checks.tests,
    "precision": checks.precision,
    "speed": speed.speed,
    "resume": checks.resume,
    "resume-deterministic": checks.resume,
    "seeds": speed.seeds,
    "first-alert": trainings.first_alert,
    "first-alert-model": trainings.first_alert_model,
    "sequences": trainings.sequences,
    "sequences-model": trainings.sequences_model,
    "table8": trainings.table8,
    "table2": trainings.table2,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=WORK)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--sizes", choices=SIZES, required=True)
    options = parser.parse_args()
    began = time.monotonic()
    if not stages.BY_NAME[options.stage].on_cpu and options.stage != "tests":
        programs.enable()
    write = partial(write_result, options.out, options.stage, options.sizes, began)
    job = Job(options.out, SIZES[options.sizes], options.seconds, lambda values: write(Outcome(values, finished=False)))
    try:
        write(WORK[options.stage](job))
    except InputError as error:
        print(f"{options.stage}: error: {error}", file=sys.stderr)
        return exits.FAILED
    return 0


def write_result(out: Path, name: str, sizes: str, began: float, outcome: Outcome) -> None:
    """Write the result of a stage that began at `began` of the monotonic clock."""
    document = {
        "stage": name,
        "sizes": sizes,
        "finished": outcome.finished,
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "commit": provenance.commit(),
        "source": source(),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "values": outcome.values,
    }
    finished, unfinished = stages.result(out, name), stages.unfinished(out, name)
    files.write(finished if outcome.finished else unfinished, json.dumps(document, indent=2) + "\n")
    if outcome.finished:
        unfinished.unlink(missing_ok=True)


@cache
def source() -> str:
    """Hash of the program's own files, for a copy of the repository without git."""
    total = hashlib.sha256()
    for path in sorted(path for room in ("jtss", "data_prep", "benchmarks") for path in (ROOT / room).rglob("*.py")):
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
