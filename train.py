"""Train a classifier: `python train.py --config n3_conv1d [--data F.h5]`; `--list` shows the configurations."""

import argparse
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path


def leave_before_training(number: int, _frame) -> None:
    """Exit at once and quietly: nothing is lost yet, and importing and compiling may take long."""
    os.write(2, b"train.py: interrupted before training began\n")
    os._exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave_before_training)

import jax
import numpy as np
from tqdm import tqdm

from data_prep.simulate import cached_path
from jtss import dataset, devices
from jtss.commands import common
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.pretrained.file import FOLDER, names
from jtss.runs import seeds as runs_seeds
from jtss.runs.directory import RunDirectory, create, open_run, require_new
from jtss.runs.provenance import hardware, versions
from jtss.training import estimate, loop, seeds
from jtss.training import step as training
from jtss.training.batches import Prepared, prepare
from jtss.training.signals import EXIT_CODES, StopSignals, leave
from jtss.training.trainer import Recorder

SIMULATED_OBJECTS = 6000
SIMULATED_SEED = 0


def main() -> int:
    arguments = parse_arguments()
    if arguments.list:
        print_configs()
        return 0
    common.enable()
    try:
        if arguments.distributed:
            devices.join_processes()
        return resume(arguments) if arguments.resume else start(arguments)
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        if arguments.distributed:
            leave(2)  # the others wait for this process, and end when it is gone
        return 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier of alert sequences.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="NAME", help="configuration to train; see --list")
    what.add_argument("--resume", metavar="RUN", type=Path, help="go on with an interrupted run")
    what.add_argument("--list", action="store_true", help="list the configurations and exit")
    parser.add_argument(
        "--data",
        metavar="F.h5",
        type=Path,
        help="data set; default: simulated once, then kept in a cache; with --resume: where it is now",
    )
    parser.add_argument(
        "--set", metavar="A.B=V", action="append", default=[], help="override a field of the configuration"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="run directory (default: runs/<config>-<date>-<time>)")
    parser.add_argument(
        "--seeds", metavar="K", type=int, default=1, help="repeat with K seeds, from training.seed on, as one program"
    )
    parser.add_argument(
        "--stream", action="store_true", help="read batches from the file even where the training set fits in memory"
    )
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="be one of several processes; they find each other by the cluster's environment, or by"
        " JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID",
    )
    arguments = parser.parse_args()
    if arguments.resume and (arguments.set or arguments.out or arguments.seeds != 1):
        parser.error("--resume takes everything from the run directory; --set, --out and --seeds do not go with it")
    if arguments.seeds < 1:
        parser.error(f"--seeds {arguments.seeds}: expected at least 1")
    if arguments.distributed and not (arguments.resume or (arguments.data and arguments.out)):
        parser.error("--distributed needs --data and --out, the same for every process")
    return arguments


def print_configs() -> None:
    ready = names(FOLDER)
    for config in named.CONFIGS.values():
        accuracy = f"{config.paper_accuracy} %" if config.paper_accuracy else "–"
        mark = " [ships trained]" if config.name in ready else ""
        print(f"{config.name:<21} paper: {accuracy:<14} {config.origin}{mark}")


def start(arguments: argparse.Namespace) -> int:
    config = settings.override(named.get(arguments.config), arguments.set)
    devices.check_divisible(config.training.batch_size)
    out = arguments.out or Path("runs", f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    path = arguments.data or simulated_data()
    content_hash = dataset.attributes(path)["content_hash"]
    numbers = [config.training.seed + i for i in range(arguments.seeds)]
    run_configs = {out: config}
    if len(numbers) > 1:
        runs_seeds.require_new(out)
        run_configs = {runs_seeds.seed_directory(out, seed): seeds.with_seed(config, seed) for seed in numbers}
    for folder, run_config in run_configs.items():
        require_new(folder, run_config, content_hash)
    prepared = prepare(path, config, stream=arguments.stream, say=say)
    provenance = {
        "command": shlex.join(["python", *sys.argv]),
        "data": str(path.resolve()),
        "data_hash": content_hash,
        "training_data": dataset.describe(path, config),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **about_this_machine(),
    }
    together = seeds.fitting(list(run_configs.values()), prepared.source, prepared.chunks)
    directories = [
        create(folder, run_config, prepared.statistics, provenance) for folder, run_config in run_configs.items()
    ]
    if len(numbers) > 1:
        runs_seeds.write(out, config, numbers, together)
    return train_all(out, directories, together, prepared)


def about_this_machine() -> dict:
    return {"versions": versions(), "device": hardware()["device"]}


def resume(arguments: argparse.Namespace) -> int:
    run, together, paths = arguments.resume, 1, [arguments.resume]
    if runs_seeds.is_repeats(run):
        together, paths = runs_seeds.seeds_together(run), runs_seeds.seed_directories(run).values()
    directories = [open_run(path) for path in paths]
    first = directories[0]
    devices.check_divisible(first.config.training.batch_size)
    path, expected = arguments.data or Path(first.provenance["data"]), first.provenance["data_hash"]
    if not path.exists():
        raise FileNotFoundError(f"{path}: the data set of {first.path} is not there; if it moved, say where by --data")
    found = dataset.attributes(path)["content_hash"]
    if found != expected:
        raise dataset.DataError(f"{path}: content hash {found}, but {first.path} was trained on {expected}")
    now = about_this_machine()
    differences = settings.differences({name: first.provenance[name] for name in now}, now, ("then", "now"))
    if differences:
        say(f"WARNING: the run may come to other bits than where it began: {'; '.join(differences)}", sys.stderr)
    prepared = prepare(path, first.config, stream=arguments.stream, say=say, statistics=first.statistics)
    return train_all(run, directories, together, prepared)


def train_all(out: Path, directories: list[RunDirectory], together: int, prepared: Prepared) -> int:
    """Train the runs, `together` at a time; returns the exit status."""
    config, finals = directories[0].config, []
    say(
        f"{config.name}: {prepared.n_train} train, {prepared.n_validation} validation sequences of"
        f" {config.n_detections} detections → {out}"
    )
    stopped = StopSignals()
    with ExitStack() as locks:
        for directory in directories:
            locks.enter_context(directory.locked())
        for first in range(0, len(directories), together):
            group = directories[first : first + together]
            states = train(group, prepared, stopped)
            finals += [training.part(states, i) for i in range(len(group))]
            if stopped.agreed:
                break
    moved = f" --data {prepared.path}" if prepared.path.resolve() != Path(directories[0].provenance["data"]) else ""
    farewell(f"{out}{moved}", [directory.config.training.seed for directory in directories], finals, stopped)
    return leave(EXIT_CODES[stopped.agreed]) if stopped.agreed else 0


def train(group: list[RunDirectory], prepared: Prepared, stopped: StopSignals) -> training.TrainState:
    """Train some seeds as one program, from their saved states on; returns the final states, which are saved."""
    config = group[0].config
    states = seeds.restore(group, warn=lambda line: say(f"WARNING: {line}", sys.stderr))
    if training.finished(config, states):
        return states
    recorder = Recorder(group, states)
    recorder.save(states)  # from here on there is something to resume
    at_start = jax.tree.map(np.array, states)
    if stopped.agree():
        return at_start
    announce_duration(config, states, prepared.n_validation)
    progress = None
    try:
        with progress_bar(config, states) as bar:
            for progress in loop.run(config, states, prepared.source, prepared.chunks, stopped.may_break_off):
                recorder.record(progress)
                show(bar, config, progress)
                if stopped.agree():
                    break
    except FloatingPointError as error:
        recorder.save(progress.states)  # the best model is in it
        others = "; the other seeds go on, each by --resume of its own folder" if len(group) > 1 else ""
        raise FloatingPointError(f"{error}{others}") from None
    if progress is None:  # a stop in the first turn, which may have taken the memory of the states
        stopped.agree()
        return at_start
    if not training.finished(config, progress.states):
        stopped.agree()
    recorder.save(progress.states)
    return progress.states


def farewell(run: str, numbers: list[int], finals: list[training.TrainState], stopped: StopSignals) -> None:
    """Say what came of it and what to do next."""
    done = training.join(finals)
    if len(numbers) > 1:
        say(seeds.table(numbers[: len(finals)], done))
    elif int(done.best.step[0]):
        say(f"best: step {int(done.best.step[0])}, validation accuracy {float(done.best.accuracy[0]):.3f}")
    if stopped.agreed:
        say(f"stopped at step {int(done.step[-1])}; go on with: python train.py --resume {run}")
    else:
        say(f"finished at step {int(done.step.max())}; next: python evaluate.py --ckpt {run}")


def say(line: str, file=None) -> None:
    """Print, in one of the processes only."""
    if devices.is_first_process():
        print(line, file=file, flush=True)


def announce_duration(config: Config, states: training.TrainState, n_validation: int) -> None:
    """On a machine without a GPU say at once how long a training will take, and what would suit it better."""
    left = int(training.last_step(config, states.best.step).max()) - int(states.step.max())
    if jax.default_backend() != "cpu" or not config.stamp.channels:
        return
    hours = estimate.training_seconds(config, left, n_validation) / 3600
    duration = f"{hours:.0f} hours" if hours >= 2 else f"{math.ceil(60 * hours)} min"
    say(f"no GPU: {left} iterations will take about {duration} on this CPU")
    if config.name != "demo":
        say("for a CPU there is: python train.py --config demo (Ctrl-C keeps what is trained so far)")


def progress_bar(config: Config, states: training.TrainState) -> tqdm:
    calm = 0.1 if sys.stderr.isatty() else 30  # seconds between lines in a log file
    options = {"unit": "step", "dynamic_ncols": True, "smoothing": 0.1, "mininterval": calm}
    steps, ends = np.asarray(states.step), training.last_step(config, np.asarray(states.best.step))
    total, step = config.training.iterations, int(steps[steps < ends].max())
    return tqdm(total=total, initial=step, disable=not devices.is_first_process(), **options)


def show(bar: tqdm, config: Config, progress: loop.Progress) -> None:
    figures = progress.figures
    bar.total = int(training.last_step(config, figures.best_step).max())
    accuracy = f"{figures.best_accuracy.mean():.3f}" if figures.best_step.all() else "–"
    bar.set_postfix_str(f"loss {figures.loss.mean():.3f}, best validation accuracy {accuracy}", refresh=False)
    bar.update(int(figures.step.max()) - bar.n)


def simulated_data() -> Path:
    """The default data set: simulated on first use, then kept in the user's cache."""
    path = cached_path(SIMULATED_OBJECTS, SIMULATED_SEED)
    if path.exists():
        print(f"no --data given: using the simulated data set {path}")
        return path
    options = ["--objects", str(SIMULATED_OBJECTS), "--seed", str(SIMULATED_SEED), "--out", str(path)]
    command = ["-m", "data_prep", "simulate", *options]
    print(f"no --data given: simulating a data set, once: {shlex.join(['python', *command])}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if subprocess.run([sys.executable, *command], cwd=Path(__file__).parent).returncode:
        raise dataset.DataError(f"{path}: the simulation did not finish")
    return path


if __name__ == "__main__":
    common.outlive_readers()
    sys.exit(main())
