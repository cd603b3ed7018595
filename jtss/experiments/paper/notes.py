"""What must stand under every table: which data, what is altered, what is missing, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jtss import data
from jtss.experiments.paper.cells import Cell, Setup
from jtss.experiments.paper.measured import Measured
from jtss.experiments.paper.results import Result
from jtss.experiments.paper.work import Left

MOST_NAMED = 6
HOW_TO_READ = (
    "The paper's columns were measured on its own ZTF objects, ours on the data named here: they cannot be compared.",
    "± is the standard deviation over seeds; brackets are 95 % intervals over the test objects.",
)


def on_what(path: Path, found: Mapping[str, Result], data_hash: str) -> list[str]:
    """Which data, and that results on other data are left out."""
    attributes = data.attributes(path)
    source = f"{path} ({attributes['survey']}; content hash {data_hash}; made by {attributes['command']})"
    others = sum(result.data_hash != data_hash for result in found.values())
    left_out = f" {others} results on other data in the same store are left out." if others else ""
    return [f"Measured on the test split of {source}.{left_out}", *HOW_TO_READ]


def with_what(plan: Sequence[Setup], measured: Measured) -> list[str]:
    """Test objects, devices and commits of the results in the table."""
    results = [result for setup in plan for result in measured.of(setup)]
    if not results:
        return []
    sizes = sorted({len(result.truth) for result in results})
    objects = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}, by number of detections"
    devices = Counter(result.device for result in results)
    commits = sorted({f"{result.versions['jtss']} ({result.commit})" for result in results})
    lines = [f"Test objects: {objects}. Trained on: {'; '.join(devices)}. jtss {', '.join(commits)}."]
    if len(devices) > 1:
        lines.append("Times of different devices stand in the same column: do not compare them.")
    return lines


def missing(plan: Sequence[Setup], absent: Sequence[Cell], left: Left, begun: int) -> list[str]:
    """Which cells are not there, how many of them are begun, and why not; nothing where all are."""
    if not absent:
        return []
    total, counts = sum(setup.seeds for setup in plan), Counter(cell.setup for cell in absent)
    named = [f"{setup.label} ({n} of {setup.seeds} seeds)" for setup, n in list(counts.items())[:MOST_NAMED]]
    more = f"; and {len(counts) - MOST_NAMED} more configurations" if len(counts) > MOST_NAMED else ""
    lines = [f"MISSING: {len(absent)} of {total} cells: {'; '.join(named)}{more}."]
    if begun:
        lines.append(f"{begun} of these {'are' if begun > 1 else 'is'} begun and will go on from the last saved step.")
    ids = {cell.id for cell in absent}
    for holder, n in Counter(str(holder) for cell_id, holder in left.held.items() if cell_id in ids).items():
        lines.append(f"{n} of these are being trained by {holder}.")
    for reason, n in Counter(left.failed.values()).items():
        lines.append(f"{n} of these failed: {reason}.")
    if left.out_of_time:
        lines.append("Stopped before the end; the same command goes on.")
    return lines
