"""The sky to learn from, and what learns from it: trainings as `jtss train` and `jtss paper` make them."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu import stages
from benchmarks.gpu.job import Job, Outcome
from data_prep.simulate.dataset import simulate
from data_prep.workers import available_cores
from jtss import dataset
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.paper import experiments
from jtss.paper.runner import Deadline
from jtss.reports import assessment, export
from jtss.runs import directory, ensemble
from jtss.runs.directory import RunDirectory
from jtss.training import batches, step, trainer
from jtss.training.batches import Prepared
from jtss.training.seeds import with_seed
from jtss.training.signals import StopSignals

CLASSES = ("AGN", "SN", "VS", "asteroid", "bogus")
SKY_SEED, FEW_SEED = 31, 77  # that of the models that ship, and that of an independent sky
SHARE_OF_TIME, SHARE_OF_DISK = 0.6, 0.6  # of what is there, since neither is known exactly
SAVE_SECONDS = 10.0  # before its limit a training stops by itself, and saves
SPARE_CORES = 2  # for the process that feeds the device
COMMAND = "python -m benchmarks.gpu"


def small_sky(job: Job) -> Outcome:
    """A sky of a few thousand objects: the first thing that is tested on, and a measure of how fast this machine is."""
    return Outcome(_simulate(job.few, job.sizes.few_objects, FEW_SEED))


def sky(job: Job) -> Outcome:
    """As many objects as there are time and room for, at most what the recipe wants."""
    small = json.loads(stages.result(job.out, "sky-small").read_text())["values"]
    n_objects = affordable(
        job.sizes.objects,
        seconds=job.seconds,
        free_bytes=shutil.disk_usage(job.work).free,
        object_seconds=small["simulation [s]"] / small["objects"],
        object_bytes=1e9 * small["size [GB]"] / small["objects"],
    )
    return Outcome(_simulate(job.sky, n_objects, SKY_SEED) | {"objects wanted": job.sizes.objects})


def affordable(wanted: int, *, seconds: float, free_bytes: float, object_seconds: float, object_bytes: float) -> int:
    """How many objects can be simulated: by hundreds, at least one hundred.

    Args:
        wanted: at most so many.
        seconds, free_bytes: that are there, of which not all is counted on.
        object_seconds, object_bytes: of one object.
    """
    in_time = SHARE_OF_TIME * seconds / object_seconds
    on_disk = SHARE_OF_DISK * free_bytes / object_bytes
    return max(int(min(wanted, in_time, on_disk)) // 100 * 100, 100)


def _simulate(path: Path, n_objects: int, seed: int) -> dict:
    """Simulate a sky, replacing what an interrupted run has left, and say what it is and how long it took."""
    words = f"simulate --objects {n_objects} --seed {seed} --classes {','.join(CLASSES)} --sky mixed"
    command, workers = f"python -m data_prep {words} --out {path.name}", max(1, available_cores() - SPARE_CORES)
    began = time.monotonic()
    content = simulate(
        path, n_objects, seed, CLASSES, "mixed", workers=workers, force=True, progress=False, command=command
    )
    seconds = time.monotonic() - began
    return {
        "objects": n_objects,
        "command": command,
        "content hash": content,
        "size [GB]": path.stat().st_size / 1e9,
        "processes": workers,
        "simulation [s]": seconds,
        "objects/s": n_objects / seconds,
    }


def first_alert(job: Job) -> Outcome:
    return train(job, job.sizes.first_alert, job.sizes.seeds)


def sequences(job: Job) -> Outcome:
    return train(job, job.sizes.sequences, (0,))


def train(job: Job, config: Config, seeds: Sequence[int]) -> Outcome:
    """Train seeds one after another, so that each that is finished is a model, whenever the time is up.

    The folder is that of an ensemble of the finished seeds.
    """
    folder, deadline = _folder(job, config), Deadline(StopSignals(), max(job.seconds - SAVE_SECONDS, 1.0))
    began, steps, finished, prepared = time.monotonic(), {}, [], None
    for seed in seeds:
        run = _begun(folder, with_seed(config, seed), job.sky)
        prepared = prepared or batches.prepare(
            job.sky, config, stream=False, say=print, statistics=run and run.statistics
        )
        run = run or _begin(folder, with_seed(config, seed), prepared)
        with run.locked():
            state = step.part(trainer.train_group([run], prepared, deadline, warn=print), 0)
        steps[seed] = int(state.step)
        print(f"{run.path}: step {steps[seed]:,}", flush=True)
        if not step.finished(run.config, state):
            break
        finished.append(seed)
        ensemble.write(folder, config, finished, together=1)
    values = {f"seed {seed}: steps": n for seed, n in steps.items()} | {"planned steps": config.training.iterations}
    values |= {"loading, compiling and training [s]": time.monotonic() - began}
    return Outcome(values, finished=len(finished) == len(seeds))


def _folder(job: Job, config: Config) -> Path:
    return job.work / "runs" / config.name


def _begun(folder: Path, config: Config, data: Path) -> RunDirectory | None:
    """The run directory of a seed, which must be of the data that are there; None where it is not begun."""
    path = ensemble.seed_directory(folder, config.training.seed)
    if not (path / directory.CONFIG).is_file():
        return None
    run, content = directory.open_run(path), dataset.attributes(data)["content_hash"]
    if run.config != config or run.provenance["data_hash"] != content:
        raise InputError(f"{path}: begun with another recipe or another sky; remove it, or choose another --out")
    return run


def _begin(folder: Path, config: Config, prepared: Prepared) -> RunDirectory:
    record = trainer.provenance_of(f"{COMMAND} (seed {config.training.seed})", prepared.data, config)
    return directory.create(ensemble.seed_directory(folder, config.training.seed), config, prepared.statistics, record)


def first_alert_model(job: Job) -> Outcome:
    return publish(job, job.sizes.first_alert, len(job.sizes.seeds))


def sequences_model(job: Job) -> Outcome:
    return publish(job, job.sizes.sequences, 1)


def publish(job: Job, config: Config, n_seeds: int) -> Outcome:
    """Test what is finished of a training, on its own test split and on the small sky, and export it."""
    folder = _folder(job, config)
    if not ensemble.is_ensemble(folder):
        raise InputError(f"{folder}: no seed is finished")
    finished = ensemble.seed_directories(folder)
    model = folder if len(finished) > 1 else next(iter(finished.values()))
    values, reports = {"seeds": len(finished), "seeds wanted": n_seeds}, []
    for title, data, split in (("its test split", job.sky, "test"), ("an independent sky", job.few, "all")):
        out = folder / f"evaluation-{data.stem}"
        request = assessment.Request(data, split, None, f"{COMMAND} (evaluation)")
        document, (path, _) = assessment.assess(model, request, out, print)
        results = document["results"]
        values |= {
            f"{title}: objects": results["n_objects"],
            f"{title}: accuracy [%]": 100 * results["accuracy"]["value"],
        }
        values |= {f"{title}: mean recall [%]": 100 * results["balanced_accuracy"]["value"]}
        values |= {f"{title}: cross-entropy [nat]": results["cross_entropy_nat"]}
        reports.append(path)
    path = export.export(model, config.name, job.out / "models", reports=reports)
    return Outcome(values | {"model": path.name, "size [MB]": path.stat().st_size / 1e6}, len(finished) == n_seeds)


def table8(job: Job) -> Outcome:
    return table(job, "table8", n=job.sizes.table_n)


def table2(job: Job) -> Outcome:
    return table(job, "table2", models=job.sizes.table_rows)


def table(job: Job, name: str, **part: Sequence) -> Outcome:
    """An experiment of the paper, as far as the time allows; its text is the value."""
    request = experiments.Request(
        name,
        job.sky,
        job.work / "paper",
        settings=job.sizes.table_settings,
        seeds=job.sizes.table_seeds,
        budget=max(job.seconds - SAVE_SECONDS, 1.0),
        command=f"{COMMAND} ({name})",
        **part,
    )
    said: list[str] = []
    paths, n_failed = experiments.perform(request, StopSignals(), said.append, print)
    bench = experiments.prepare(request, print)
    missing, wanted = bench.results.missing(bench.plan()), sum(setup.seeds for setup in bench.plan())
    tables = job.out / "tables"
    tables.mkdir(exist_ok=True)
    for path in paths:
        shutil.copy(path, tables / path.name)
    print(*said, sep="\n")
    values = {"trainings": wanted - len(missing), "trainings wanted": wanted, "failed": n_failed}
    values |= {"tables": said[-1].strip()}  # the last that an experiment says
    return Outcome(values, finished=not missing)
