"""What is brought back: few files in one folder, flat and small, written anew after every stage.

report.md          to be read
results.json       all that was measured, each with hardware, commit and versions
NAME.h5, NAME.md, SHA256SUMS    exported models and their cards
more.tar.gz        results, tables, logs and run directories; unpacked in an empty folder, that can be gone on with

No data file is among them. Of the run directories, checkpoints come along as long as the archive stays small.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu import stages
from benchmarks.gpu.stages import BACK, LOGS, RESULTS, STAGES, WORK
from jtss import files

ARCHIVE_BYTES = 14 * 2**20  # before compression
RUNS = (f"{WORK}/runs", f"{WORK}/paper")
DIGITS = 5


def write(out: Path, spent: float) -> Path:
    """Write the folder anew; returns the path of report.md.

    Args:
        out: folder of everything.
        spent: seconds of the budget, by now.
    """
    back, results = out / BACK, read(out)
    back.mkdir(exist_ok=True)
    files.write(back / "results.json", json.dumps(results, indent=2) + "\n")
    if (out / "models").is_dir():
        for path in (out / "models").iterdir():
            shutil.copy(path, back / path.name)
    content, left_out = archive(out)
    files.write(back / "more.tar.gz", content)
    files.write(back / "report.md", text(out, results, spent, left_out))
    return back / "report.md"


def read(out: Path) -> dict[str, dict]:
    """What there is of each stage by its name, in the order of the stages."""
    results = {}
    for stage in STAGES:
        for path in (stages.result(out, stage.name), stages.unfinished(out, stage.name)):
            if path.is_file():
                results.setdefault(stage.name, json.loads(path.read_text()))
    return results


def archive(out: Path) -> tuple[bytes, list[str]]:
    """The archive, and what was left out of it for its size."""
    content, size, left_out = io.BytesIO(), 0, []
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for path in _archived(out):
            name = path.relative_to(out).as_posix()
            try:
                too_large = size + path.stat().st_size > ARCHIVE_BYTES
                data = b"" if too_large else path.read_bytes()
            except FileNotFoundError:  # a stage beside this one has just given it another name
                continue
            if too_large:
                left_out.append(name)
                continue
            size += len(data)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue(), left_out


def _archived(out: Path) -> Iterator[Path]:
    """Files in the order of their value; of the run directories how a training went before its checkpoints."""
    folders = [out / name for name in (RESULTS, "tables", LOGS)]
    yield out / "sizes.json"
    of_this_machine = stages.result(out, "machine")  # another one must be looked at anew
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file() and path != of_this_machine)
    of_runs = sorted(path for name in RUNS for path in (out / name).rglob("*") if path.is_file())
    yield from (path for path in of_runs if "checkpoints" not in path.parts)
    yield from (path for path in of_runs if "checkpoints" in path.parts)


def text(out: Path, results: dict[str, dict], spent: float, left_out: list[str]) -> str:
    """The report, as Markdown."""
    lines = ["# A GPU for a short time", "", *_about(results), "", f"Time of this run so far: {spent:.0f} s.", ""]
    lines += ["| stage | state | time [s] |", "| --- | --- | --- |"]
    lines += [f"| {stage.title} | {_state(out, stage)} | {_seconds(results, stage)} |" for stage in STAGES]
    for stage in STAGES:
        if stage.name in results:
            lines += ["", f"## {stage.title}", "", *_section(results[stage.name])]
    lines += ["", "## What is in more.tar.gz", "", *_on_the_archive(left_out)]
    return "\n".join(lines) + "\n"


def _about(results: dict[str, dict]) -> list[str]:
    """Hardware, commit and versions, once for all that share them."""
    kinds: dict[str, list[str]] = {}
    for name, result in results.items():
        hardware, versions = result["hardware"], ", ".join(f"{k} {v}" for k, v in result["versions"].items())
        machine = (
            f"{hardware['device']} ({hardware['platform']}), {hardware['n_cores']} cores of {hardware['processor']}"
        )
        kinds.setdefault(f"{machine}; commit {result['commit']}, source {result['source']}; {versions}", []).append(
            name
        )
    toy = any(result["sizes"] == "toy" for result in results.values())
    warning = ["**At toy sizes: the numbers mean nothing.**", ""] if toy else []
    return warning + [f"- {', '.join(names)}: {kind}" for kind, names in kinds.items()]


def _state(out: Path, stage: stages.Stage) -> str:
    if stages.result(out, stage.name).is_file():
        return "finished"
    log = out / LOGS / f"{stage.name}.log"
    return f"not finished: {_last_line(log)}" if log.is_file() else "not begun"


def _last_line(log: Path) -> str:
    """What the process of a stage printed last, which is its error where it had one."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200].replace("|", "\\|") if lines else "it printed nothing"


def _seconds(results: dict[str, dict], stage: stages.Stage) -> str:
    return f"{results[stage.name]['seconds']:.0f}" if stage.name in results else ""


def _section(result: dict) -> list[str]:
    """The values of a stage: names and numbers; columns where there are several of each."""
    lines = [] if result["finished"] else ["Not finished; this far it came:", ""]
    values = result["values"]
    several = {name: value for name, value in values.items() if isinstance(value, dict)}
    long = {name: value for name, value in values.items() if isinstance(value, str) and "\n" in value}
    single = {name: value for name, value in values.items() if name not in several | long}
    if single:
        lines += _table({"": single})
    if several:
        lines += _table(several)
    for name, value in long.items():
        lines += ["", f"{name}:", "", "```", value, "```"]
    return lines


def _table(columns: dict[str, dict]) -> list[str]:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(_shown(column.get(name, '')) for column in columns.values())} |")
    return [*lines, ""]


def _shown(value: object) -> str:
    return f"{value:,.{DIGITS}g}" if isinstance(value, float) else str(value).replace("|", "\\|").replace("\n", " ")


def _on_the_archive(left_out: list[str]) -> list[str]:
    lines = [
        f"Results, tables, logs and run directories, {ARCHIVE_BYTES / 2**20:.0f} MiB at most; no data file.",
        "To go on: unpack it in an empty folder, and name that folder by `--out`. A training goes on only on the same",
        "sky, which another machine may round differently.",
    ]
    if left_out:
        lines += ["", f"Left out for their size ({len(left_out)}): {', '.join(left_out[:20])}"]
    return lines
