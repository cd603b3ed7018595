"""How fast a network trains and answers on this device, and where the time goes.

    python -m benchmarks.training                                # n3_conv1d on a GPU, demo on a CPU
    python -m benchmarks.training --whole --seeds 10             # also a whole training, and ten seeds against one

Made-up stamps, since speed does not depend on what is in them. Operations are counted from the layers' sizes: two for
each multiply-add of convolutions and dense layers, three times as many in training; rotation, pooling and Adam are not
counted. The compilation is left out of every figure.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import record
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.network import inputs, network, rotation
from jtss.network.encoder import StampEncoder
from jtss.network.inputs import Examples
from jtss.network.parts import Batch, compute_dtype
from jtss.training import loop as training_loop
from jtss.training import step
from jtss.training.batches import Resident, Source, ValidationChunks, validation_chunks

# Operations per second of matrix products, from NVIDIA's data sheets, where those of Hopper and Ada say twice as much:
# with sparsity. XLA rounds the factors of float32 products to TF32 where a GPU has that; a V100 has neither TF32 nor
# bfloat16, and is named by its plain float32. The first name that is part of the device's kind counts.
#
# Checked in November 2026 against reproductions of the data sheets of H100 SXM and PCIe, H200 SXM, A100 (1758950-r4),
# L40S and V100 SXM2. Values marked "unverified" have not been compared with a data sheet.
PEAK = {
    "H200 NVL": {"bfloat16": 835e12, "float32": 418e12},  # unverified
    "H200": {"bfloat16": 989e12, "float32": 495e12},  # SXM: 1,979 and 989 TFLOP/s with sparsity
    "H100 PCIe": {"bfloat16": 756e12, "float32": 378e12},  # 1,513 and 756
    "H100 NVL": {"bfloat16": 835e12, "float32": 418e12},  # 1,671 and 835, unverified
    "H100": {"bfloat16": 989e12, "float32": 495e12},  # SXM: 1,979 and 989
    "A100": {"bfloat16": 312e12, "float32": 156e12},  # dense as they are
    "L40S": {"bfloat16": 362e12, "float32": 183e12},  # 733 and 366
    "V100-PCIE": {"float32": 14.0e12},  # unverified
    "V100": {"float32": 15.7e12},  # SXM2
}
VALIDATION_OBJECTS = 600
PASSES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="demo" if jax.default_backend() == "cpu" else "n3_conv1d")
    parser.add_argument("--set", metavar="A.B=V", action="append", default=[])
    parser.add_argument("--objects", type=int, default=4096, help="training objects")
    parser.add_argument("--turns", type=int, default=20, help="validations in the training loop that is timed")
    parser.add_argument("--inference", type=int, default=1024, help="sequences in a batch of inference")
    parser.add_argument("--seeds", type=int, default=1, help="also time so many seeds as one program")
    parser.add_argument("--whole", action="store_true", help="also run a whole training")
    arguments = parser.parse_args()
    config = settings.override(named.get(arguments.config), arguments.set)
    values = measure(config, arguments)
    for name, value in values.items():
        print(f"{name:<44} {value:.5g}" if isinstance(value, float) else f"{name:<44} {value}")
    record(f"train-{config.name}", values)


def measure(config: Config, arguments: argparse.Namespace) -> dict:
    train, validation = made(config, arguments.objects, 0), made(config, VALIDATION_OBJECTS, 1)
    statistics = inputs.fit(train.dynamic, train.static, config.metadata)
    source = Resident(train, statistics, config)
    chunks = validation_chunks(validation, statistics, config.training.batch_size)
    per_sequence = operations(config)
    precision = str(compute_dtype(config))
    peak = peak_of(jax.devices()[0].device_kind, precision)
    values = {"precision": precision, "GFLOP per sequence": per_sequence / 1e9}

    step_s = seconds_of_a_step(config, source, chunks, arguments.turns, seeds=1, validated=False)
    rate = 3 * per_sequence * config.training.batch_size / step_s
    values |= {"training step [ms]": 1e3 * step_s, "training steps per s": 1 / step_s, "training TFLOP/s": rate / 1e12}
    validated_s = seconds_of_a_step(config, source, chunks, arguments.turns, seeds=1, validated=True)
    values |= {"training step with its share of validation [ms]": 1e3 * validated_s}
    values |= {"share of a turn that is validation": 1 - step_s / validated_s}
    values |= parts(config)
    answer_s = seconds_of_inference(config, arguments.inference)
    values |= {"inference sequences per s": arguments.inference / answer_s}
    values |= {"inference TFLOP/s": per_sequence * arguments.inference / answer_s / 1e12}
    if peak:
        values |= {"share of the peak, training": rate / peak}
        values |= {"share of the peak, inference": per_sequence * arguments.inference / answer_s / peak}
    if arguments.seeds > 1:
        many_s = seconds_of_a_step(config, source, chunks, arguments.turns, seeds=arguments.seeds, validated=True)
        values |= {"seeds": arguments.seeds, "time of all seeds over time of one": many_s / validated_s}
    if arguments.whole:
        values |= {"whole training [s]": whole(config, source, chunks)}
    return values


def made(config: Config, n_objects: int, seed: int) -> Examples:
    """Examples of random numbers."""
    rng, n = np.random.default_rng(seed), config.n_detections
    side, channels = config.stamp.source_side, len(config.stamp.channels)
    return Examples(
        rng.random((n_objects, n, side, side, channels), np.float32).astype(np.float16),
        rng.normal(size=(n_objects, n, len(config.metadata.dynamic))).astype(np.float32),
        rng.normal(size=(n_objects, len(config.metadata.static))).astype(np.float32),
        (np.arange(n_objects) % len(config.classes)).astype(np.int32),
        np.full(n_objects, -1, np.int32),
        np.zeros(n_objects, np.int8),
        np.arange(n_objects),
        np.ones((n_objects, 2), np.float32),
    )


def peak_of(kind: str, precision: str) -> float | None:
    """Operations per second of a kind of device at its best; None where they are not known, or it has no such type."""
    return next((peak.get(precision) for name, peak in PEAK.items() if name in kind), None)


def operations(config: Config) -> float:
    """Floating-point operations of one sequence, forward: two for each multiply-add of a kernel."""
    if not config.stamp.channels:
        return 0.0
    encoder, side = StampEncoder(config.encoder), config.stamp.crop
    stamp = jnp.zeros((side, side, len(config.stamp.channels)))
    params = jax.eval_shape(encoder.init, jax.random.key(0), stamp)
    capture = partial(encoder.apply, capture_intermediates=True, mutable=["intermediates"])
    _, state = jax.eval_shape(capture, params, stamp)
    total = 0
    for name, layer in params["params"].items():
        output = state["intermediates"][name]["__call__"][0].shape
        total += 2 * layer["kernel"].size * int(np.prod(output[:-1]))
    return float(total * config.stamp.copies * config.n_detections)


def best_seconds(function: Callable[[], object]) -> float:
    """The shortest of a few passes, after one that compiles."""
    jax.block_until_ready(function())
    seconds = []
    for _ in range(PASSES):
        began = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def seconds_of_a_step(config, source, chunks, n_turns: int, *, seeds: int, validated: bool) -> float:
    """Seconds of a step within the loop as it runs, for all `seeds`; not `validated`: of the steps alone."""
    turn_steps = config.training.validate_every
    every = turn_steps if validated else turn_steps * (n_turns + 1)
    long = replace(config.training, iterations=every * (n_turns + 1), patience=0, validate_every=every)
    timed, states = replace(config, training=long), all_states(config, seeds)
    if validated:
        loop = training_loop.run(timed, states, source, chunks)
        validated_once = next(turn for turn in loop if turn.figures.validation_loss is not None)  # all is compiled
        compiled, began = int(validated_once.figures.step[0]), time.perf_counter()
        *_, last = loop
        return (time.perf_counter() - began) / (int(last.figures.step[0]) - compiled)
    batches = source.take(step.draw(config, source.strata, states.seed, 0, steps_at_once(config)))
    return best_seconds(lambda: training_loop.advance(timed, states, batches)) / steps_at_once(config)


def steps_at_once(config: Config) -> int:
    longest = min(config.training.validate_every, training_loop.LONGEST_TURN)
    return longest if training_loop.in_one_dispatch(config) else 1


def all_states(config: Config, seeds: int) -> step.TrainState:
    return step.join([step.init_state(settings.override(config, [f"training.seed={seed}"])) for seed in range(seeds)])


def parts(config: Config) -> dict[str, float]:
    """Milliseconds of the parts of one batch, each as a program of its own: their sum need not be the whole."""
    if not config.stamp.channels:
        return {}
    side, channels, copies = config.stamp.source_side, len(config.stamp.channels), config.stamp.copies
    n_stamps = config.training.batch_size * config.n_detections
    stamps = jnp.asarray(np.random.default_rng(0).random((n_stamps, side, side, channels), np.float32))
    angles = rotation.copy_angles(jax.random.key(0), copies, config.stamp.rotation_range_deg)
    turn = jax.jit(jax.vmap(lambda stamp: rotation.rotated_copies(stamp, angles, config.stamp.crop)))
    copies_of = turn(stamps).reshape(-1, config.stamp.crop, config.stamp.crop, channels)
    encoder = StampEncoder(config.encoder, compute_dtype(config))
    params = jax.jit(encoder.init)(jax.random.key(0), copies_of[0])

    def total(params: dict) -> jax.Array:
        return jax.vmap(partial(encoder.apply, params))(copies_of).sum()

    return {
        "rotation of one batch [ms]": 1e3 * best_seconds(lambda: turn(stamps)),
        "encoder forward, one batch [ms]": 1e3 * best_seconds(partial(jax.jit(total), params)),
        "encoder forward and backward, one batch [ms]": 1e3 * best_seconds(partial(jax.jit(jax.grad(total)), params)),
    }


def seconds_of_inference(config: Config, n_sequences: int) -> float:
    examples = made(config, n_sequences, 2)
    batch = jax.device_put(Batch(examples.stamps, examples.dynamic, examples.static))
    variables = step.init_state(config).variables
    forward = jax.jit(lambda variables, batch: network.apply(config, variables, batch, train=False)[0])
    return best_seconds(lambda: forward(variables, batch))


def whole(config: Config, source: Source, chunks: ValidationChunks) -> float:
    """Seconds of a training of all planned iterations, compilation included, without saving."""
    planned = replace(config, training=replace(config.training, patience=0))
    began = time.perf_counter()
    for _ in training_loop.run(planned, all_states(config, 1), source, chunks):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
