"""What only a GPU shows: `python -m pytest -m gpu`. Skipped where JAX has none."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from helpers.made_training import TINY, made_examples, trained, turns
from helpers.places import ROOT, TESTS
from jtss.config import named
from jtss.config.settings import Config, override
from jtss.network import network, parts
from jtss.network.parts import Batch

pytestmark = pytest.mark.gpu

DEMO = override(named.get("demo"), ["precision=float32"])
# Sums of up to 2,000 float32 products in another order, layer upon layer, as a share of the largest value.
ROUNDING = 1e-4
BFLOAT16 = 0.05  # likewise for factors of 8 bits


@pytest.fixture(autouse=True, scope="module")
def gpu() -> jax.Device:
    if jax.default_backend() != "gpu":
        pytest.skip("JAX has no GPU here")
    return jax.devices()[0]


@pytest.fixture(autouse=True)
def full_precision():
    """A GPU rounds the factors of float32 products to 10 bits unless told otherwise."""
    with jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(scope="module")
def variables() -> dict:
    return jax.device_get(jax.jit(lambda: network.init(DEMO, jax.random.key(0)))())


def batch(n_objects: int = 6) -> Batch:
    made = made_examples(n_objects, seed=3, side=DEMO.stamp.source_side)
    return Batch(made.stamps, made.dynamic, made.static)


def logits(config: Config, variables: dict, batch: Batch, device: jax.Device) -> np.ndarray:
    given = jax.device_put((variables, batch), device)
    found = jax.jit(lambda variables, batch: network.apply(config, variables, batch, train=False)[0])(*given)
    assert found.devices() == {device}
    return np.asarray(found)


def assert_close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


def test_a_gpu_and_a_cpu_give_the_same_logits(gpu, variables):
    on_cpu = logits(DEMO, variables, batch(), jax.devices("cpu")[0])
    assert np.ptp(on_cpu) > 0.01
    assert_close(logits(DEMO, variables, batch(), gpu), on_cpu, ROUNDING)


def test_bfloat16_gives_nearly_the_same(gpu, variables):
    fine = logits(DEMO, variables, batch(), gpu)
    coarse = logits(override(DEMO, ["precision=bfloat16"]), variables, batch(), gpu)
    assert not np.array_equal(coarse, fine)
    assert_close(coarse, fine, BFLOAT16)


def test_the_precision_follows_from_what_the_gpu_says_of_itself(gpu):
    if "NVIDIA" not in gpu.device_kind and "Tesla" not in gpu.device_kind:
        pytest.skip(f"{gpu.device_kind}: not known to be NVIDIA's")
    expected = "bfloat16" if float(gpu.compute_capability) >= 8 else "float32"
    assert parts.compute_dtype(named.get("demo")) == expected


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_descends(precision):
    more = ["training.iterations=20", "training.validate_every=4", "training.learning_rate=0.01"]
    figures = [progress.figures for progress in turns(override(TINY, [*more, f"precision={precision}"]))]
    losses = [float(at.validation_loss[0]) for at in figures if at.validation_loss is not None]
    assert len(losses) == 5
    assert losses[-1] < 0.8 * losses[0]


def test_several_seeds_as_one_program_are_each_as_if_alone():
    """In twelve steps of Adam at 1e-3, rounding makes far less than 1e-3 of a loss."""
    config = override(TINY, ["precision=float32"])
    seeds = (0, 1, 2)
    together = trained(config, seeds=seeds).best
    assert len(set(map(float, together.loss))) == len(seeds)
    for i, seed in enumerate(seeds):
        alone = trained(config, seeds=(seed,)).best
        assert float(together.loss[i]) == pytest.approx(float(alone.loss[0]), rel=1e-3)


def test_a_turn_by_a_quarter_is_not_noticed(gpu, variables):
    config = override(DEMO, ["stamp.copies=4"])
    given = batch()
    expected = logits(config, variables, given, gpu)
    for quarters in (1, 2, 3):
        stamps = np.rot90(given.stamps, quarters, axes=(2, 3)).copy()
        assert_close(logits(config, variables, given._replace(stamps=stamps), gpu), expected, ROUNDING)
    mirrored = given._replace(stamps=given.stamps[:, :, ::-1].copy())  # which nothing promises
    assert np.abs(logits(config, variables, mirrored, gpu) - expected).max() > 10 * ROUNDING * np.abs(expected).max()


def test_with_deterministic_operations_a_resumed_training_comes_to_the_same_bits():
    """Without the flag, XLA may add up in any order, and no equality is promised."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true"
    # beside this process, which holds most of the GPU's memory
    more = {"XLA_FLAGS": flags, "PYTHONPATH": f"{ROOT}:{TESTS}", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "helpers.resumed_training"]
    run = subprocess.run(command, env=os.environ | more, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("gpu: 0 of")
