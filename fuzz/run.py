"""Fuzz every reader of foreign bytes: python -m fuzz.run --minutes 5

The minutes are divided among the targets, each in a process of its own that starts from seeds made here. Inputs that a
reader neither reads nor refuses by name are kept in fuzz/found; the exit status is 1 where there are any.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[1]
FOUND = ROOT / "fuzz" / "found"
COVERAGE = re.compile(r"^#\d+\s+\w+\s+cov: (\d+)", re.MULTILINE)
EXECUTIONS = re.compile(r"number_of_executed_units: *(\d+)|^#(\d+)", re.MULTILINE)


class Outcome(NamedTuple):
    """What became of one target: inputs tried, edges reached by the seeds and in all, and inputs that are findings."""

    executions: int
    seeded: int
    reached: int
    findings: list[Path]


def fuzz(name: str, seconds: int) -> Outcome:
    """Run one target in a process of its own."""
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, caught = Path(folder, "corpus"), Path(folder, "caught")
        corpus.mkdir(), caught.mkdir()
        earlier = [path.read_bytes() for path in FOUND.glob(f"{name}.*")]
        for number, seed in enumerate([*TARGETS[name].seeds(), *earlier]):
            (corpus / f"seed{number}").write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-artifact_prefix={caught}/"]
        child = subprocess.run(
            [sys.executable, "-m", "fuzz.child", name, *limits, str(corpus)],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": folder, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            errors="replace",
        )
        findings = [Path(shutil.move(path, FOUND / f"{name}.{path.name}")) for path in sorted(caught.iterdir())]
    coverage = [int(edges) for edges in COVERAGE.findall(child.stderr)] or [0]
    executions = max((int(a or b) for a, b in EXECUTIONS.findall(child.stderr)), default=0)
    if child.returncode and not findings:
        raise RuntimeError(f"{name}: the fuzzing itself failed:\n{child.stdout}{child.stderr}")
    return Outcome(executions, coverage[0], coverage[-1], findings)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5, help="for all targets together (default: 5)")
    minutes = parser.parse_args().minutes
    if importlib.util.find_spec("atheris") is None:
        print(f"Fuzzing needs atheris (pip install '.[fuzz]'), which is not there for Python {sys.version.split()[0]}.")
        return 2
    n_findings = 0
    for name in TARGETS:
        outcome = fuzz(name, max(1, round(60 * minutes / len(TARGETS))))
        counts = f"{outcome.executions:8d} executions, coverage {outcome.seeded} -> {outcome.reached} edges"
        print(f"{name:18s} {counts}, {len(outcome.findings)} findings", flush=True)
        n_findings += len(outcome.findings)
        for path in outcome.findings:
            print(f"    replay: python -m fuzz.child {name} {path.relative_to(ROOT)}", flush=True)
    return min(n_findings, 1)


if __name__ == "__main__":
    sys.exit(main())
