"""`jtss train CONFIG`: a classifier, from a data file to a run directory."""

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jtss import exits, invocation
from jtss.commands import common
from jtss.errors import InputError

HELP = "train a classifier"
DESCRIPTION = "Train a classifier of alert sequences."
SIMULATED_OBJECTS, SIMULATED_SEED = 6000, 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "config", nargs="?", metavar="CONFIG", help="configuration to train; see --list; with --from: the model's"
    )
    what.add_argument("--config", dest="named_config", metavar="CONFIG", help="the same")
    what.add_argument("--resume", metavar="RUN", type=Path, help="go on with an interrupted run")
    what.add_argument("--list", action="store_true", help="list the configurations and exit")
    add = parser.add_argument
    add(
        "--data",
        metavar="F.h5",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="data set; default: simulated once, then kept in a cache; with --resume: where it is now; several: a"
        " mixture, of which the first is the one that the model is for",
    )
    add("--weights", metavar="A,B,…", help="of several data sets: in which proportions batches are drawn from them")
    add("--set", metavar="A.B=V", action="append", default=[], help="override a field of the configuration")
    add("--out", metavar="DIR", type=Path, help="run directory (default: runs/<config>-<date>-<time>)")
    add("--seeds", metavar="K", type=int, default=1, help="train an ensemble of K seeds, as one program where it fits")
    add("--from", dest="start", metavar=common.MODEL, type=Path, help="begin with the weights of a trained model")
    add(
        "--parts",
        metavar="PART,…",
        help="with --from: the parts of the network to take, as encoder; the others begin at random",
    )
    add("--stream", action="store_true", help="read batches from the file even where the training set fits in memory")
    add(
        "--distributed",
        action="store_true",
        help="be one of several processes; they find each other by the cluster's environment, or by"
        " JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID",
    )
    parser.set_defaults(usage_error=parser.error)


def check(options: argparse.Namespace) -> None:
    """Leave with a message where options do not go together."""
    named = options.config or options.named_config
    if not (named or options.start or options.resume or options.list):
        before = " before --data, which takes every word behind it" if len(options.data) > 1 else ""
        options.usage_error(f"expected CONFIG{before}, --from, --resume or --list")
    if options.resume and (options.set or options.out or options.seeds != 1 or options.start):
        options.usage_error(
            "--resume takes everything from the run directory; --set, --out, --seeds and --from do not go with it"
        )
    if options.weights is not None and (options.resume or not options.data):
        options.usage_error("--weights are those of the files of --data; a run that is resumed has its own")
    if options.parts is not None and not options.start:
        options.usage_error("--parts are those of a model: only with --from")
    if options.seeds < 1:
        options.usage_error(f"--seeds {options.seeds}: expected at least 1")
    if options.distributed and not (options.resume or (options.data and options.out)):
        options.usage_error("--distributed needs --data and --out, the same for every process")


def take_config_behind_data(options: argparse.Namespace) -> None:
    """In `--data F.h5 CONFIG` the last word names a configuration, though --data takes all words behind it."""
    if len(options.data) < 2 or options.config or options.named_config or options.resume:
        return
    from jtss.config import named

    *files, last = options.data
    if str(last) in named.CONFIGS and not last.exists():
        options.config, options.data = str(last), files


def run(options: argparse.Namespace) -> int:
    take_config_behind_data(options)
    check(options)
    if options.list:
        list_configs()
        return 0
    _leave_at_once_on_signals(options.prog)
    from jtss import devices
    from jtss.commands import cache

    if options.distributed:
        devices.join_processes()  # before anything looks at the devices
    cache.enable()
    if not options.distributed:
        return _train(options)
    status = common.run(options.prog, lambda: _train(options))
    return exits.leave(status) if status else 0  # the others wait for this process, and end when it is gone


def weights_of(text: str | None) -> list[float] | None:
    """Weights from text such as "1,0.5".

    Raises:
        InputError: one is no number.
    """
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--weights {text}: expected numbers, one for each file of --data, as 1,1") from None


def _leave_at_once_on_signals(prog: str) -> None:
    """Until training begins nothing is lost by a signal, and importing and compiling may take long."""

    def leave(number: int, _frame: object) -> None:
        os.write(2, f"{prog}: interrupted before training began\n".encode())
        os._exit(exits.status_of(number))

    for number in exits.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def list_configs() -> None:
    """Print every configuration with the paper's table, row and accuracy."""
    from jtss.config import named
    from jtss.pretrained import file

    pretrained = file.names(file.FOLDER)
    for config in named.CONFIGS.values():
        accuracy = f"{config.paper_accuracy} %" if config.paper_accuracy else "–"
        mark = " [pretrained]" if config.name in pretrained else ""
        print(f"{config.name:<21} paper: {accuracy:<14} {config.origin}{mark}")


def _train(options: argparse.Namespace) -> int:
    from jtss.config import named
    from jtss.config.settings import override
    from jtss.pretrained import load
    from jtss.training import mixture, trainer, warm_start
    from jtss.training.signals import StopSignals

    if options.resume:
        training = trainer.resume(options.resume, data=options.data, stream=options.stream, say=_say, warn=_warn)
    else:
        model, name = options.start and load.load_model(options.start), options.config or options.named_config
        config = override(named.get(name) if name else model.config, options.set)
        parts = () if options.parts is None else tuple(part.strip() for part in options.parts.split(","))
        training = trainer.start(
            config,
            mixture.of(options.data or [simulated_data()], weights_of(options.weights)),
            options.out or Path("runs", f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}"),
            command=options.command_line,
            n_seeds=options.seeds,
            stream=options.stream,
            say=_say,
            warm=model and warm_start.of(model, config, parts),
        )
    config, prepared = training.directories[0].config, training.prepared
    read = "packets" if config.packet.rows else f"sequences of {config.n_detections} detections"
    _say(f"{config.name}: {prepared.n_train} train, {prepared.n_validation} validation {read} → {training.out}")
    stop = StopSignals()
    finals = trainer.train(training, stop, warn=_warn, watch=watch)
    _say_what_came_of_it(training, finals, stop)
    return exits.leave(exits.status_of(stop.agreed)) if stop.agreed else 0


def _say_what_came_of_it(training, finals: list, stop) -> None:
    """And what to do next."""
    from jtss.training import mixture, seeds, step

    done, numbers = step.join(finals), [one.config.training.seed for one in training.directories]
    if len(numbers) > 1:
        _say(seeds.table(numbers[: len(finals)], done))
    elif int(done.best.step[0]):
        _say(f"best: step {int(done.best.step[0])}, validation accuracy {float(done.best.accuracy[0]):.3f}")
    if stop.agreed:
        there, paths = mixture.recorded(training.directories[0].provenance).paths, training.prepared.data.paths
        moved = ["--data", *paths] if tuple(path.resolve() for path in paths) != there else []
        going_on = invocation.spelled("train", "--resume", training.out, *moved)
        _say(f"stopped at step {int(done.step[-1])}; go on with: {going_on}")
    else:
        _say(f"finished at step {int(done.step.max())}; next: {invocation.spelled('evaluate', training.out)}")


def _say(line: str) -> None:
    """Print, in one of the processes only."""
    from jtss import devices

    if devices.is_first_process():
        common.say(line)


def _warn(line: str) -> None:
    from jtss import devices

    if devices.is_first_process():
        common.warn(line)


@contextmanager
def watch(config, states, n_validation: int) -> Iterator[Callable]:
    """A line on how long it takes, and a progress bar; see `jtss.training.trainer.Watch`."""
    import numpy as np
    from tqdm import tqdm

    from jtss import devices
    from jtss.training import step

    _announce_duration(config, states, n_validation)
    calm = 0.1 if sys.stderr.isatty() else 30  # seconds between lines in a log file
    options = {"unit": "step", "dynamic_ncols": True, "smoothing": 0.1, "mininterval": calm}
    steps, ends = np.asarray(states.step), step.last_step(config, np.asarray(states.best.step))
    total, first = config.training.iterations, int(steps[steps < ends].max())
    with tqdm(total=total, initial=first, disable=not devices.is_first_process(), **options) as bar:

        def show(progress) -> None:
            figures = progress.figures
            bar.total = int(step.last_step(config, figures.best_step).max())
            accuracy = f"{figures.best_accuracy.mean():.3f}" if figures.best_step.all() else "–"
            bar.set_postfix_str(
                f"loss {figures.loss.mean():.3f}, validation accuracy of the best model {accuracy}", refresh=False
            )
            bar.update(int(figures.step.max()) - bar.n)

        yield show


def _announce_duration(config, states, n_validation: int) -> None:
    """On a machine without a GPU say at once how long a training will take, and what would suit it better."""
    import jax

    from jtss.training import estimate, step

    left = int(step.last_step(config, states.best.step).max()) - int(states.step.max())
    if jax.default_backend() != "cpu" or not config.stamp.channels:
        return
    hours = estimate.training_seconds(config, left, n_validation) / 3600
    duration = f"{hours:.0f} hours" if hours >= 2 else f"{math.ceil(60 * hours)} min"
    _say(f"no GPU: {left} iterations will take about {duration} on this CPU")
    if config.name != "demo":
        demo = invocation.spelled("train", "--config", "demo")
        _say(f"for a CPU there is: {demo} (Ctrl-C keeps what is trained so far)")


def _end_with_this_process(child) -> None:
    """Wait for a child, and let it end by the signal that ends this process."""
    before = {number: signal.getsignal(number) for number in exits.SIGNALS}

    def pass_on(number: int, frame: object) -> None:
        child.send_signal(number)
        child.wait()
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        raise common.Interrupted(number)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    try:
        child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def simulated_data() -> Path:
    """The default data set: simulated on first use, then kept in the user's cache.

    It is made by a process of its own, so that JAX does not share this one with those that simulate.
    """
    import subprocess

    from data_prep.simulate import cached_path

    path = cached_path(SIMULATED_OBJECTS, SIMULATED_SEED)
    if path.exists():
        _say(f"no --data given: using the simulated data set {path}")
        return path
    words = ["simulate", "--objects", str(SIMULATED_OBJECTS), "--seed", str(SIMULATED_SEED), "--out", str(path)]
    _say(f"no --data given: simulating a data set, once: {invocation.spelled('data', *words)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-m", "data_prep", *words], cwd=root) as simulation:
        _end_with_this_process(simulation)
    if simulation.returncode:
        raise InputError(f"{path}: the simulation did not finish")
    return path
