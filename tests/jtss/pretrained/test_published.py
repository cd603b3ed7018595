"""The importer of published networks: every array in its place, or an error that names it."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jtss.config.settings import Config
from jtss.network import inputs
from jtss.network.network import apply
from jtss.network.parts import Batch
from jtss.pretrained import published
from jtss.pretrained.published import IMAGES_ONLY, STAMP_CLASSIFIER

CONVOLUTIONS = {
    "conv_1_1/conv2d": (4, 4, 3, 32),
    "conv_2_2/conv2d": (3, 3, 32, 32),
    "conv_3_4/conv2d": (3, 3, 32, 64),
    "conv_4_5/conv2d": (3, 3, 64, 64),
    "conv_5_6/conv2d": (3, 3, 64, 64),
}
KERNELS = {
    IMAGES_ONLY: CONVOLUTIONS
    | {"dense_1_9/dense_1_9": (2304, 64), "dense_2_10/dense_2_10": (64, 64), "output_logits": (64, 5)},
    STAMP_CLASSIFIER: CONVOLUTIONS
    | {
        "dense_1_10/dense_1_10": (2304, 64),
        "dense_2_12/dense_2_12": (90, 64),
        "dense_3_13/dense_3_13": (64, 64),
        "output_logits": (64, 5),
    },
}
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
THEIR_FEATURES = {"ecl_lon": "ecl_long", "gal_b": "gal_lat", "gal_l": "gal_long"}


def made_up(config: Config) -> dict[str, np.ndarray]:
    """A network by its TensorFlow names; its last convolution gives nothing, so that the rest is easy to compute."""
    rng, shapes = np.random.default_rng(4), {}
    for layer, shape in KERNELS[config].items():
        shapes |= {f"network/{layer}/kernel": shape, f"network/{layer}/bias": shape[-1:]}
    if config.metadata.static:
        shapes |= {f"network/batchnorm_features/{name}": (26,) for name in NORM}
    silent = {f"network/conv_5_6/conv2d/{name}" for name in ("kernel", "bias")}
    return {
        name: (rng.uniform(0.1, 0.5, shape) * (name not in silent)).astype(np.float32) for name, shape in shapes.items()
    }


def rows() -> list[dict]:
    rng = np.random.default_rng(5)
    return [
        {
            "name": THEIR_FEATURES.get(name, name),
            "mean": rng.normal(),
            "std": rng.uniform(1, 2),
            "clip_low": None if i % 3 else 0.3,
            "clip_high": None if i % 4 else 2,
        }
        for i, name in enumerate(STAMP_CLASSIFIER.metadata.static)
    ]


def write(folder: Path, arrays: dict[str, np.ndarray], statistics: list[dict] | None = None) -> Path:
    np.savez(folder / "weights.npz", **arrays)
    (folder / "norm_stats.json").write_text(json.dumps(rows() if statistics is None else statistics))
    return folder


def logits(network: published.Network, static: np.ndarray) -> jax.Array:
    batch = Batch(np.ones((len(static), 1, 21, 21, 3), np.float32), np.zeros((len(static), 1, 0)), static)
    return jax.jit(lambda batch: apply(network.config, network.variables, batch, train=False)[0])(batch)


def dense(x: np.ndarray, arrays: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return x @ arrays[f"network/{layer}/kernel"] + arrays[f"network/{layer}/bias"]


@pytest.mark.parametrize("config", KERNELS, ids=lambda config: config.name)
def test_every_array_is_used_once(tmp_path, config):
    given = made_up(config)
    found = jax.tree.leaves(published.load(write(tmp_path, given), config).variables)
    assert sorted(np.asarray(a).tobytes() for a in found) == sorted(a.tobytes() for a in given.values())


def test_dense_layers_of_the_network_of_images(tmp_path):
    given = made_up(IMAGES_ONLY)
    network = published.load(write(tmp_path, given), IMAGES_ONLY)
    pooled = dense(given["network/dense_1_9/dense_1_9/bias"], given, "dense_2_10/dense_2_10")
    np.testing.assert_allclose(
        logits(network, np.zeros((2, 0), np.float32)), [dense(pooled, given, "output_logits")] * 2, rtol=1e-5
    )


def test_dense_layers_and_batch_norm_of_the_network_with_metadata(tmp_path):
    given = made_up(STAMP_CLASSIFIER)
    network = published.load(write(tmp_path, given), STAMP_CLASSIFIER)
    static = np.random.default_rng(6).normal(size=(3, 26)).astype(np.float32)
    gamma, beta, mean, variance = (given[f"network/batchnorm_features/{name}"] for name in NORM)
    normalised = gamma * (static - mean) / np.sqrt(variance + 1e-3) + beta
    pooled = np.tile(given["network/dense_1_10/dense_1_10/bias"], (3, 1))
    x = np.concatenate([pooled, normalised], axis=1)
    for layer in ("dense_2_12/dense_2_12", "dense_3_13/dense_3_13"):
        x = np.maximum(dense(x, given, layer), 0)
    np.testing.assert_allclose(logits(network, static), dense(x, given, "output_logits"), rtol=1e-5)


def test_metadata_are_standardised_as_published(tmp_path):
    network, names = published.load(write(tmp_path, made_up(STAMP_CLASSIFIER)), STAMP_CLASSIFIER), []
    values = np.random.default_rng(7).normal(0, 3, (50, 26))
    sign = STAMP_CLASSIFIER.metadata.static.index("isdiffpos")
    values[:, sign] = np.arange(50) % 2
    expected = np.empty_like(values)
    for i, row in enumerate(rows()):
        names.append(row["name"])
        theirs = 1 - values[:, i] if i == sign else values[:, i]
        low = -np.inf if row["clip_low"] is None else row["clip_low"]
        high = np.inf if row["clip_high"] is None else row["clip_high"]
        expected[:, i] = (np.minimum(np.maximum(theirs, low), high) - row["mean"]) / row["std"]
    assert names[sign] == "isdiffpos"
    found = inputs.standardise(values, network.statistics.static)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_network_of_images_needs_no_statistics(tmp_path):
    folder = write(tmp_path, made_up(IMAGES_ONLY))
    (folder / "norm_stats.json").unlink()
    network = published.load(folder, IMAGES_ONLY)
    assert inputs.standardise(np.zeros((4, 0)), network.statistics.static).shape == (4, 0)


@pytest.mark.parametrize("config", KERNELS, ids=lambda config: config.name)
def test_a_folder_becomes_the_model_that_its_files_are_of(tmp_path, config):
    folder = write(tmp_path, made_up(config))
    if not config.metadata.static:
        (folder / "norm_stats.json").unlink()
    model, network = published.as_model(folder), published.load(folder, config)
    assert (model.label, model.config, model.statistics) == (str(folder), config, network.statistics)
    (member,) = model.members
    jax.tree.map(np.testing.assert_array_equal, member.variables, network.variables)


OUTPUT = "network/output_logits/kernel"
FAULTS = {
    "missing": (lambda a: a.pop(OUTPUT), r"kernel: no such array, expected float32 \(64, 5\)"),
    "transposed": (lambda a: a.update({OUTPUT: a[OUTPUT].T}), r"kernel: float32 \(5, 64\), expected float32 \(64, 5\)"),
    "double": (lambda a: a.update({OUTPUT: a[OUTPUT].astype(float)}), r"kernel: float64 \(64, 5\), expected float32"),
    "extra": (lambda a: a.update({"network/more/bias": a[OUTPUT]}), r"more/bias: float32 .*, expected no such array"),
    "pickle": (lambda a: a.update({OUTPUT: np.array([{}, 1])}), "pickle"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("config", KERNELS, ids=lambda config: config.name)
def test_a_wrong_array_is_named_with_its_file(tmp_path, config, fault):
    spoil, message = FAULTS[fault]
    given = made_up(config)
    spoil(given)
    with pytest.raises(published.PublishedError, match=rf"weights\.npz: .*{message}") as raised:
        published.load(write(tmp_path, given), config)
    assert "\n" not in str(raised.value)


def test_weights_of_the_other_network_are_refused(tmp_path):
    folder = write(tmp_path, made_up(IMAGES_ONLY))
    with pytest.raises(
        published.PublishedError, match=r"batchnorm_features/beta: no such array, expected float32 \(26,\)"
    ):
        published.load(folder, STAMP_CLASSIFIER)


@pytest.mark.parametrize("damage", ["no archive", "cut", "flipped", "a single array"])
def test_a_damaged_archive_is_named(tmp_path, damage):
    path = write(tmp_path, made_up(IMAGES_ONLY)) / "weights.npz"
    whole = bytearray(path.read_bytes())
    if damage == "a single array":
        np.save(tmp_path / "one.npy", np.zeros(3))
        whole = (tmp_path / "one.npy").read_bytes()
    elif damage == "flipped":
        whole[len(whole) // 2] ^= 1
    path.write_bytes(b"weights" if damage == "no archive" else whole[: len(whole) // (2 if damage == "cut" else 1)])
    with pytest.raises(published.PublishedError, match=r"weights\.npz: .*expected arrays"):
        published.load(tmp_path, IMAGES_ONLY)


def test_statistics_of_other_features_or_without_a_key_are_refused(tmp_path):
    swapped, incomplete, given = rows(), rows(), made_up(STAMP_CLASSIFIER)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    del incomplete[3]["std"]
    for statistics, message in ((swapped, "features distpsnr1, sgscore1.*expected sgscore1"), (incomplete, "'std'")):
        with pytest.raises(published.PublishedError, match=rf"norm_stats\.json: .*{message}"):
            published.load(write(tmp_path, given, statistics), STAMP_CLASSIFIER)
