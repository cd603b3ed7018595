"""How fast the full-size networks train and answer here; `benchmarks.training` measures."""

from benchmarks import training as benchmark
from benchmarks.gpu.job import Job, Outcome
from jtss.config.settings import Config
from jtss.network import inputs
from jtss.training.batches import Resident


def speed(job: Job) -> Outcome:
    """Steps, operations and alerts a second of both recipes."""
    return Outcome({config.name: _speed(config, job) for config in (job.sizes.first_alert, job.sizes.sequences)})


def _speed(config: Config, job: Job) -> dict:
    sizes = job.sizes
    values = benchmark.measure(config, objects=sizes.made_objects, turns=sizes.turns, inference=sizes.inference[-1])
    for n in sizes.inference:
        alerts = n * config.n_detections / benchmark.seconds_of_inference(config, n)
        values |= {f"inference, batches of {n} [alerts/s]": alerts}
    return values


def seeds(job: Job) -> Outcome:
    """The time of a step of many seeds as one program, over that of one."""
    config, sizes = job.sizes.first_alert, job.sizes
    train = benchmark.made(config, sizes.made_objects, 0)
    statistics = inputs.fit(train.dynamic, train.static, config.metadata)
    source = Resident(train, statistics, config)
    one, many = (
        benchmark.seconds_of_a_step(config, source, None, sizes.turns, seeds=n, validated=False)
        for n in (1, sizes.many_seeds)
    )
    return Outcome(
        {"seeds": sizes.many_seeds, "step of one [ms]": 1e3 * one, "step of all [ms]": 1e3 * many, "ratio": many / one}
    )
