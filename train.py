"""Train a classifier: `python train.py --config n3_conv1d [--data F.h5]`; `--list` shows the configurations."""

import argparse
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
from tqdm import tqdm

from data_prep.simulate import cached_path
from jtss import checkpoint, data, environment, estimate, features, overrides, registry, training
from jtss.configs import Config

SIMULATED_OBJECTS = 6000
SIMULATED_SEED = 0
SAVE_EVERY_SECONDS = 60
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def main() -> int:
    arguments = parse_arguments()
    if arguments.list:
        print_configs()
        return 0
    try:
        return resume(arguments) if arguments.resume else start(arguments)
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train.py: interrupted before training began", file=sys.stderr)
        return EXIT_CODES[signal.SIGINT]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier of alert sequences.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="NAME", help="configuration to train; see --list")
    what.add_argument("--resume", metavar="RUN", type=Path, help="go on with an interrupted run")
    what.add_argument("--list", action="store_true", help="list the configurations and exit")
    parser.add_argument(
        "--data", metavar="F.h5", type=Path, help="data set; default: simulated once, then kept in a cache"
    )
    parser.add_argument(
        "--set", metavar="A.B=V", action="append", default=[], help="override a field of the configuration"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="run directory (default: runs/<config>-<date>-<time>)")
    arguments = parser.parse_args()
    if arguments.resume and (arguments.data or arguments.set or arguments.out):
        parser.error("--resume takes everything from the run directory; --data, --set and --out do not go with it")
    return arguments


def print_configs() -> None:
    for config in registry.CONFIGS.values():
        accuracy = f"{config.paper_accuracy} %" if config.paper_accuracy else "–"
        print(f"{config.name:<12} paper: {accuracy:<14} {config.origin}")


def start(arguments: argparse.Namespace) -> int:
    config = overrides.override(registry.get(arguments.config), arguments.set)
    out = arguments.out or Path("runs", f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    checkpoint.require_new(out)
    path = arguments.data or simulated_data()
    content_hash = data.attributes(path)["content_hash"]
    splits = data.load(path, config)
    statistics = features.fit(splits["train"].dynamic, splits["train"].static, config.metadata)
    state = training.init_state(config)
    provenance = {
        "command": shlex.join(["python", *sys.argv]),
        "data": str(path.resolve()),
        "data_hash": content_hash,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": environment.versions(),
        "device": environment.hardware()["device"],
    }
    directory = checkpoint.create(out, config, statistics, provenance)
    return train(directory, splits, state)


def resume(arguments: argparse.Namespace) -> int:
    directory = checkpoint.open_run(arguments.resume)
    path, expected = Path(directory.provenance["data"]), directory.provenance["data_hash"]
    found = data.attributes(path)["content_hash"]
    if found != expected:
        raise data.DataError(f"{path}: content hash {found}, but {directory.path} was trained on {expected}")
    with directory.states() as states:
        state = states.latest(directory.config)
    directory.forget_metrics_after(int(state.step))
    return train(directory, data.load(path, directory.config), state)


def train(directory: checkpoint.RunDirectory, splits: dict[str, data.Examples], state: training.TrainState) -> int:
    config = directory.config
    counts = ", ".join(f"{len(split.label)} {name}" for name, split in splits.items())
    print(f"{config.name}: {counts} sequences of {config.n_detections} detections → {directory.path}", flush=True)
    stopped_by = StopSignals()
    with directory.states() as states:
        states.save(state)  # from here on there is something to resume
        announce_duration(config, state, len(splits["validation"].label))
        recorder = Recorder(directory, states)
        try:
            with progress_bar(config, int(state.step)) as bar:
                for turn in training.run(config, splits["train"], splits["validation"], directory.statistics, state):
                    state = turn.state
                    recorder.record(turn)
                    show(bar, config, turn)
                    if stopped_by.number:
                        break
        except FloatingPointError:
            states.save(state)  # the best model is in it
            raise
        states.save(state)
    return farewell(directory, state, stopped_by.number)


def farewell(directory: checkpoint.RunDirectory, state: training.TrainState, stopped_by: int) -> int:
    """Say what came of it and what to do next; returns the exit status."""
    if int(state.best.step):
        print(f"best: step {int(state.best.step)}, validation accuracy {float(state.best.accuracy):.3f}")
    if stopped_by:
        print(f"stopped at step {int(state.step)}; go on with: python train.py --resume {directory.path}")
        return EXIT_CODES[stopped_by]
    print(f"next: python evaluate.py --ckpt {directory.path}")
    return 0


class Recorder:
    """Writes down what training does: a line of metrics per validation, a state every minute."""

    def __init__(self, directory: checkpoint.RunDirectory, states: checkpoint.States):
        self._directory, self._states = directory, states
        self._began = self._saved = time.monotonic()
        self._losses: list[float] = []  # since the last validation

    def record(self, turn: training.Progress) -> None:
        now = time.monotonic()
        self._losses.append(turn.loss)
        if turn.validation_loss is not None:
            self._directory.append_metrics(
                {
                    "step": turn.step,
                    "train_loss": sum(self._losses) / len(self._losses),
                    "validation_loss": turn.validation_loss,
                    "validation_accuracy": turn.validation_accuracy,
                    "seconds": round(now - self._began, 3),
                }
            )
            self._losses = []
        if now - self._saved > SAVE_EVERY_SECONDS:
            self._states.save(turn.state)
            self._saved = now


class StopSignals:
    """Remembers Ctrl-C and SIGTERM instead of breaking off in the middle of a step; a second one does break off."""

    def __init__(self):
        self.number = 0
        for number in EXIT_CODES:
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame) -> None:
        self.number = number
        signal.signal(number, signal.SIG_DFL)


def announce_duration(config: Config, state: training.TrainState, n_validation: int) -> None:
    """On a machine without a GPU say at once how long a training will take, and what would suit it better."""
    left = training.last_step(config, int(state.best.step)) - int(state.step)
    if jax.default_backend() != "cpu" or left <= 0:
        return
    hours = estimate.training_seconds(config, left, n_validation) / 3600
    duration = f"{hours:.0f} hours" if hours >= 2 else f"{60 * hours:.0f} minutes"
    print(f"no GPU: {left} iterations will take about {duration} on this CPU", flush=True)
    if config.name != "demo":
        print("for a CPU there is: python train.py --config demo (Ctrl-C keeps what is trained so far)", flush=True)


def progress_bar(config: Config, step: int) -> tqdm:
    calm = 0.1 if sys.stderr.isatty() else 30  # seconds between lines in a log file
    total = config.training.iterations
    return tqdm(total=total, initial=step, unit="step", dynamic_ncols=True, smoothing=0.1, mininterval=calm)


def show(bar: tqdm, config: Config, turn: training.Progress) -> None:
    best = turn.state.best
    bar.total = training.last_step(config, int(best.step))
    accuracy = f"{float(best.accuracy):.3f}" if int(best.step) else "–"
    bar.set_postfix_str(f"loss {turn.loss:.3f}, best validation accuracy {accuracy}", refresh=False)
    bar.update(turn.step - bar.n)


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
        raise data.DataError(f"{path}: the simulation did not finish")
    return path


if __name__ == "__main__":
    sys.exit(main())
