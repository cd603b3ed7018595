"""How many alert packets a model answers in a second, and where the time goes.

    pip install -e '.[export]'         # ONNX Runtime
    python -m benchmarks.packets       # any, n1_enhanced and n1_baseline; the packets of 300 simulated objects

For each model: `jtss classify` from start to end as a user types it, programs already compiled; `Model.classify` in
this process, without that start; and the network alone on the alerts of the same sky, in jtss and as an ONNX file in
ONNX Runtime. `any` answers every packet, the others an object once. Times are the best of the passes, of the wall
clock and of the CPU; on a busy machine only the latter mean something.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import jtss
from benchmarks.results import ROOT, record
from data_prep.simulate.dataset import chunks, simulate_chunk
from jtss import schema
from jtss.api.models import Model
from jtss.export import onnx_file, samples, signature, verification

MODELS = ("any", "n1_enhanced", "n1_baseline")
CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")
SKY, SEED = "mixed", 77
OBJECTS_AT_ONCE = 64
PASSES = 3


def best(work: Callable[[], object], others: bool = False) -> dict[str, float]:
    """Seconds of the wall clock and of the CPU, the least of the passes after one that only warms up.

    Args:
        work: what is timed.
        others: it is done by processes that it starts, so that their CPU time counts.
    """
    who, seconds = resource.RUSAGE_CHILDREN if others else resource.RUSAGE_SELF, []
    for _ in range(1 + PASSES):
        wall, before = time.perf_counter(), resource.getrusage(who)
        work()
        wall, after = time.perf_counter() - wall, resource.getrusage(who)
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        seconds.append((wall, cpu))
    wall, cpu = map(min, zip(*seconds[1:], strict=True))
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}


def end_to_end(name: str, alerts: Path, folder: Path) -> dict[str, float]:
    """`jtss classify` as a user types it."""
    out = folder / f"{name}.csv"
    command = [sys.executable, "-m", "jtss", "classify", str(alerts), "-m", name, "--out", str(out), "--force"]
    run = best(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True), others=True)
    return {"rows": len(out.read_text().splitlines()) - 1, **run}


def in_process(model: Model, alerts: Path) -> dict[str, float]:
    """`Model.classify` with nothing to start or compile."""
    return best(lambda: model.classify(alerts))


def networks(model: Model, parts: list[schema.Sequences]) -> dict[str, dict]:
    """From scaled stamps and raw metadata to probabilities, in jtss and in ONNX Runtime."""
    exported = signature.exportable(model.trained)
    run = verification.of_onnx(onnx_file.to_bytes(exported, "NHWC", {}))
    given = [samples.raw_inputs(part, exported.config)[1] for part in parts]
    return {
        "answers": sum(len(next(iter(each.values()))) for each in given),
        "jtss": best(lambda: [samples.answers(exported, part) for part in parts]),
        "onnxruntime": best(lambda: [run(each) for each in given]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packets", description=__doc__.split("\n")[0])
    parser.add_argument("--objects", type=int, default=300, help="simulated objects (default: %(default)s)")
    options = parser.parse_args()
    made = schema.join([simulate_chunk(each)[0] for each in chunks(options.objects, SEED, CLASSES, SKY)])
    firsts = range(0, made.n_objects, OBJECTS_AT_ONCE)
    parts = [schema.take(made, np.arange(first, min(first + OBJECTS_AT_ONCE, made.n_objects))) for first in firsts]
    values = {"objects": options.objects, "usable_cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["--objects", options.objects, "--seed", SEED, "--classes", ",".join(CLASSES), "--sky", SKY]
        command = [sys.executable, "-m", "jtss", "data", "simulate", *map(str, words), "--packets", folder / "night"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        alerts = folder / "night" / "alerts"
        for each in MODELS:
            model = jtss.load_model(each)
            values[each] = {
                "classify": end_to_end(each, alerts, folder),
                "in_process": in_process(model, alerts),
                "network": networks(model, parts),
            }
            print(each, json.dumps(values[each]), flush=True)
    record("packets", values)


if __name__ == "__main__":
    main()
