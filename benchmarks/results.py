"""Where benchmarks write their numbers: a JSON file for each benchmark, hardware and commit."""

import datetime
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from jtss.runs.provenance import hardware, versions

FOLDER = Path(__file__).with_suffix("")
ROOT = FOLDER.parents[1]


def record(name: str, values: dict) -> Path:
    """Write `results/<name>-<hardware>-<commit>.json`, replacing an earlier run of the same, and print its path.

    Args:
        name: the benchmark.
        values: its numbers, with units in the keys; beside them stand command, time, commit, hardware and versions.
    """
    machine, commit = hardware(), _git("rev-parse", "--short=9", "HEAD") or "unknown"
    about = {
        "benchmark": name,
        "command": shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changed_since_commit": _git("diff", "--name-only", "HEAD").splitlines(),
        "hardware": machine,
        "versions": versions(),
    }
    kind = f"{machine['device']}-{machine['n_cores']}-cores" if machine["platform"] == "cpu" else machine["device"]
    slug = re.sub(r"[^a-z0-9]+", "-", str(kind).lower()).strip("-")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}-{slug}-{commit}.json"
    path.write_text(json.dumps(about | {"values": values}, indent=2) + "\n")
    print(f"wrote {path}")
    return path


def _git(*arguments: str) -> str:
    """What git says of this repository; nothing where there is no git or no repository."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()
