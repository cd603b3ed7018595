"""What is done, in the order of its value; each stage is a process and leaves one result file. Knows no JAX."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

RESULTS, LOGS, WORK, BACK = "stages", "logs", "work", "back"
CHECKED_UNTIL = 0.45  # of the budget: then checks and measurements must leave the device to the trainings
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


class Stage(NamedTuple):
    """A stage.

    Attributes:
        name: of its result file, and of what `benchmarks.gpu.work` does.
        title: in words.
        share: of the budget that it may take at most.
        until: share of the budget after which it must have ended.
        least: seconds below which it is not begun, at full size.
        keep: seconds that it leaves for what follows, at full size.
        needs: stages that must be finished.
        begun: stages that must have been begun, whose work it takes as far as it is.
        leaves: a file in the working folder without which its result is of no use.
        on_cpu: beside the others, without the device.
        xla_flags: of its process, in addition.
    """

    name: str
    title: str
    share: float = 1.0
    until: float = 1.0
    least: float = 20.0
    keep: float = 0.0
    needs: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    leaves: str = ""
    on_cpu: bool = False
    xla_flags: str = ""


FEW, SKY = "few.h5", "sky.h5"
CHECK = {"until": CHECKED_UNTIL}
STAGES = (
    Stage("machine", "The machine", 0.15, least=0),
    Stage("sky-small", "A small simulated sky, to test on", 0.2, leaves=FEW, on_cpu=True),
    Stage("sky", "The simulated sky to learn from", 0.35, needs=("sky-small",), leaves=SKY, on_cpu=True),
    Stage("tests", "Tests that want a GPU", 0.12, **CHECK),
    Stage("precision", "bfloat16 against float32", 0.18, needs=("sky-small",), **CHECK),
    Stage("speed", "Speed", 0.15, **CHECK),
    Stage("resume", "A training gone on with, as it is", 0.08, **CHECK),
    Stage("resume-deterministic", "A training gone on with, deterministic", 0.08, xla_flags=DETERMINISTIC, **CHECK),
    Stage("seeds", "Several seeds as one program", 0.1, **CHECK),
    Stage("first-alert", "The first-alert model, an ensemble of seeds", least=60, keep=60, needs=("sky",)),
    Stage(
        "first-alert-model",
        "The first-alert model, tested and exported",
        needs=("sky", "sky-small"),
        begun=("first-alert",),
    ),
    Stage("sequences", "The model of three detections", least=60, keep=45, needs=("sky",)),
    Stage(
        "sequences-model", "The model of three detections, tested and exported", needs=("sky", "sky-small", "sequences")
    ),
    Stage("table8", "TSC Table 8", least=60, needs=("sky",)),
    Stage("table2", "Rows of TSC Table 2", least=60, needs=("sky",)),
)
BY_NAME = {stage.name: stage for stage in STAGES}


def result(out: Path, name: str) -> Path:
    """The file that a finished stage has left."""
    return out / RESULTS / f"{name}.json"


def unfinished(out: Path, name: str) -> Path:
    """The file of a stage that was stopped, or could do a part only; the next run goes on with it."""
    return out / RESULTS / f"{name}.unfinished.json"


def is_finished(out: Path, stage: Stage) -> bool:
    """Whether there is nothing left to do; a result whose data file is gone is none."""
    return result(out, stage.name).is_file() and (not stage.leaves or (out / WORK / stage.leaves).is_file())


def is_wanted(out: Path, stage: Stage, stages: Iterable[Stage] = STAGES) -> bool:
    """Whether a stage is not finished; what only leaves data, not where all that need them are."""
    if is_finished(out, stage):
        return False
    others = [other for other in stages if stage.name in other.needs]
    return not (stage.leaves and others) or any(is_wanted(out, other, stages) for other in others)
