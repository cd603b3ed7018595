"""How fast the full-size networks train and answer here; `benchmarks.training` measures."""

from itertools import product

import jax

from benchmarks import training as benchmark
from benchmarks.gpu.job import Job, Outcome
from jtss.config.settings import Config
from jtss.network import inputs, parts
from jtss.training.batches import Resident


def speed(job: Job) -> Outcome:
    """Steps, operations and alerts a second of both recipes; training first, which matters more."""
    configs = (job.sizes.first_alert, job.sizes.sequences)
    values: dict[str, dict] = {config.name: {} for config in configs}
    for config in configs:
        values[config.name] |= of_training(config, job)
        job.keep(values)
    for config, n in product(configs, job.sizes.inference):
        alerts = n * config.n_detections / benchmark.seconds_of_inference(config, n)
        values[config.name] |= {f"inference, batches of {n} [alerts/s]": alerts}
        job.keep(values)
    return Outcome(values)


def of_training(config: Config, job: Job) -> dict[str, float | str]:
    """Time of a step, and its share of what the device can do at best."""
    seconds = step_seconds(config, job, 1)
    dtype = str(parts.compute_dtype(config))
    rate = 3 * benchmark.operations(config) * config.training.batch_size / seconds
    peak = benchmark.peak_of(jax.devices()[0].device_kind, dtype)
    values = {"precision": dtype, "training step [ms]": 1e3 * seconds, "training steps/s": 1 / seconds}
    values |= {"training [TFLOP/s]": rate / 1e12}
    return values | {"share of the peak [%]": 100 * rate / peak if peak else "unknown: no peak of this device is known"}


def step_seconds(config: Config, job: Job, n_seeds: int) -> float:
    """Seconds of a step of so many seeds as one program, without validation."""
    train = benchmark.made(config, job.sizes.made_objects, 0)
    statistics = inputs.fit(train.dynamic, train.static, config.metadata)
    source = Resident(train, statistics, config)
    return benchmark.seconds_of_a_step(config, source, None, job.sizes.turns, seeds=n_seeds, validated=False)


def seeds(job: Job) -> Outcome:
    """The time of a step of many seeds as one program, over that of one."""
    config, n_seeds = job.sizes.first_alert, job.sizes.many_seeds
    one = step_seconds(config, job, 1)
    values = {"seeds": n_seeds, "step of one [ms]": 1e3 * one}
    job.keep(values)
    many = step_seconds(config, job, n_seeds)
    return Outcome(values | {"step of all [ms]": 1e3 * many, "ratio": many / one})
