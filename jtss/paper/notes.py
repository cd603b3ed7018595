"""What a reader must know of a table: which data and devices it was measured with, and what is missing from it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jtss import dataset
from jtss.paper.grids import Setup, Trial
from jtss.paper.results import Measured
from jtss.paper.runner import Left

MOST_NAMED = 6
HOW_TO_READ = (
    "The paper's columns were measured on its own ZTF objects, ours on the data named here: they cannot be compared.",
    "± is the standard deviation over seeds; brackets are 95 % intervals over the test objects.",
)


def on_what(path: Path, data_hash: str) -> list[str]:
    """Which data, and how to read what was measured on them."""
    attributes = dataset.attributes(path)
    source = f"{path} ({attributes['survey']}; content hash {data_hash}; made by {attributes['command']})"
    return [f"Measured on the test split of {source}.", *HOW_TO_READ]


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


def what_is_missing(plan: Sequence[Setup], absent: Sequence[Trial], left: Left, begun: int) -> list[str]:
    """Which trainings are not there, how many of them are begun, and why not; nothing where all are."""
    if not absent:
        return []
    total, counts = sum(setup.seeds for setup in plan), Counter(trial.setup for trial in absent)
    named = [f"{setup.label} ({n} of {setup.seeds} seeds)" for setup, n in list(counts.items())[:MOST_NAMED]]
    more = f"; and {len(counts) - MOST_NAMED} more configurations" if len(counts) > MOST_NAMED else ""
    lines = [f"MISSING: {len(absent)} of {total} trainings: {'; '.join(named)}{more}."]
    if begun:
        lines.append(f"{begun} of these {'are' if begun > 1 else 'is'} begun and will go on from the last saved step.")
    ids = {trial.id for trial in absent}
    for holder, n in Counter(holder for trial_id, holder in left.held.items() if trial_id in ids).items():
        lines.append(f"{n} of these are being trained by {holder}.")
    lines += [f"FAILED: {why}." for why in list(left.failed.values())[:MOST_NAMED]]
    if len(left.failed) > MOST_NAMED:
        lines.append(f"{len(left.failed) - MOST_NAMED} more failed; each is named by a warning.")
    if left.failed:
        lines.append("What failed is tried again by the same command; where its folder is moved away, from the start.")
    if left.stopped:
        lines.append("Stopped before the end; the same command goes on.")
    return lines
