"""Published networks in our code, from packet bytes on, against what TensorFlow made of the same alerts."""

import csv
from collections.abc import Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import pytest

from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.containers import read_blocks
from data_prep.packets.decode import Decoded, decode
from data_prep.packets.metadata import catalogue, columns_of
from data_prep.packets.stamps import decode_stamps, is_full, scale
from helpers.made_sequences import of_alerts
from jtss import schema
from jtss.config.settings import Config
from jtss.network import network as network_network
from jtss.network import parts
from jtss.network.encoder import StampEncoder
from jtss.network.inputs import Examples, assemble, examples, source_crops, standardised
from jtss.network.parts import Batch, Variables
from jtss.network.rotation import copy_angles, rotate
from jtss.pretrained import published
from jtss.pretrained.published import Network
from jtss.schema import Sequences

NETWORKS = {"alerce_images_only": published.IMAGES_ONLY, "alerce_stamp_classifier": published.STAMP_CLASSIFIER}
IMAGES_ONLY, STAMP_CLASSIFIER = NETWORKS
N_ALERTS, N_WITH_FILLS = 1405, 3
ALERTS_PER_BATCH = 281  # a fifth

# Rounding of float32 in sums of up to 2304 terms leaves 6e-6 at most.
close = partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-5)


class Detections(NamedTuple):
    """Pixels as they come [M, 63, 63, 3]; metadata [M, 26]."""

    pixels: np.ndarray
    metadata: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """[M]: has fill values within the crop: missing pixels for us, very dark ones in the published code."""
        return np.any(np.abs(self.pixels[:, 21:42, 21:42]) > schema.FILL_LIMIT, axis=(1, 2, 3))


@pytest.fixture(autouse=True)
def full_precision():
    """A GPU rounds the factors of float32 products to 10 bits unless told otherwise."""
    with jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(scope="module")
def packets(ztf_dir) -> dict[int, Alert]:
    if not (ztf_dir / "golden").is_dir():
        pytest.skip("no golden/ in the folder of real alerts")
    return {alert.candid: alert for block in read_blocks(ztf_dir / "alerts") for alert in decode_block(block)}


def detections(alerts: Iterable[Alert]) -> Detections:
    stamps = [decode_stamps(alert.cutouts) for alert in alerts]
    assert all(is_full(stamp) for stamp, _, _ in stamps)
    metadata = catalogue(columns_of([alert.candidate for alert in alerts]))
    return Detections(np.stack([np.stack(channels, axis=-1) for channels in stamps]), metadata)


def inputs(network: Network, detections: Detections) -> Batch:
    """As data sets and classification have it, but for the storage in float16."""
    crops = source_crops(scale(detections.pixels), network.config.stamp)[:, None]
    jd, allwise = np.zeros((len(crops), 1)), np.full((len(crops), 4), np.nan, np.float32)
    metadata = assemble(detections.metadata[:, None], jd, allwise, network.config.metadata)
    unused = np.zeros(len(crops), np.int32)
    return standardised(Examples(crops, *metadata, unused, unused, unused, unused, unused), network.statistics)


@partial(jax.jit, static_argnums=0)
def logits(config: Config, variables: Variables, batch: Batch) -> jax.Array:
    return network_network.apply(config, variables, batch, train=False)[0]


def probabilities(network: Network, batch: Batch) -> np.ndarray:
    edges = range(0, len(batch.stamps), ALERTS_PER_BATCH)
    pieces = [parts.take(batch, slice(i, i + ALERTS_PER_BATCH)) for i in edges]
    found = [logits(network.config, network.variables, piece) for piece in pieces]
    return np.asarray(jax.nn.softmax(np.concatenate(found)))


def predictions(folder: Path) -> dict[int, list[float]]:
    """{candid: probabilities} as published."""
    with open(folder / "predictions.csv") as file:
        return {int(row["candid"]): [float(row[name]) for name in schema.CLASS_NAMES] for row in csv.DictReader(file)}


@contextmanager
def recording():
    """{name: (input, output)} of the layers that are called inside."""
    seen = {}

    def record(method, arguments, options, context):
        result = method(*arguments, **options)
        if context.method_name == "__call__":
            seen[context.module.name or type(context.module).__name__] = arguments[0], result
        return result

    with nn.intercept_methods(record):
        yield seen


def encoder_layers(network: Network, images: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{name: (input, output)}, each [4 B, …]: row k B + i is image i turned k times."""
    config, params = network.config, network.variables["params"]["encoder"]

    def encode(angle: jax.Array, image: jax.Array) -> dict:
        with recording() as seen:
            StampEncoder(config.encoder).apply({"params": params}, rotate(image, angle, config.stamp.crop))
        return seen

    of_images = jax.vmap(encode, in_axes=(None, 0))
    seen = jax.jit(jax.vmap(of_images, in_axes=(0, None)))(copy_angles(None, 4, 0), images)
    return jax.tree.map(lambda x: np.asarray(x).reshape(-1, *x.shape[2:]), seen)


def check_image_branch(network: Network, images: np.ndarray, golden, prefix: str, rows: np.ndarray) -> None:
    """Every array of the image branch that `golden` has, for the chosen rows."""
    seen, of_copies = encoder_layers(network, images), np.tile(rows, 4)
    copies, encoded = seen["StampEncoder"]
    turned = np.concatenate([np.rot90(images, turns, axes=(1, 2)) for turns in range(4)])
    close(copies, turned, atol=1e-5 * np.ptp(images))
    close(seen["conv_2"][0][: len(rows)][rows], golden[f"{prefix}conv1"][rows])
    for name, found in (("flat", seen["dense_1"][0]), ("dense1", encoded)):
        if f"{prefix}{name}" in golden:
            close(found[of_copies], golden[f"{prefix}{name}"][of_copies])
    encode = jax.jit(partial(parts.encode, network.config))
    pooled = encode(network.variables["params"]["encoder"], images[:, None], None)
    close(pooled[rows, 0], golden[f"{prefix}pooled"][rows])


@partial(jax.jit, static_argnums=0)
def normalised(config: Config, variables: Variables, batch: Batch) -> jax.Array:
    """The metadata as our batch norm leaves them."""
    with recording() as seen:
        network_network.apply(config, variables, batch, train=False)
    return seen["BatchNorm"][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_of_every_alert_from_its_packet(ztf_dir, packets, name):
    folder = ztf_dir / "golden" / name
    network, expected = published.load(folder, NETWORKS[name]), predictions(folder)
    alerts = detections([packets[candid] for candid in expected])
    difference = np.abs(probabilities(network, inputs(network, alerts)) - list(expected.values())).max(axis=1)
    assert (len(difference), alerts.filled.sum()) == (N_ALERTS, N_WITH_FILLS)
    print(f"{name}: probabilities differ by {difference[~alerts.filled].max():.1e} at most")
    assert difference[~alerts.filled].max() < 1e-5
    if name == IMAGES_ONLY:
        assert difference[alerts.filled].min() > 0.01, "the fills matter, so they are rightly left out above"


def test_every_layer_of_the_network_of_images(ztf_dir, packets):
    folder = ztf_dir / "golden" / IMAGES_ONLY
    network, golden = published.load(folder, NETWORKS[IMAGES_ONLY]), np.load(folder / "example.npz")
    batch = inputs(network, detections([packets[int(candid)] for candid in golden["candid"]]))
    images, rows = batch.stamps[:, 0], np.ones(8, bool)
    close(images, golden["images"])
    assert np.mean(golden["flat"] > 0) > 0.5, "this branch is alive"
    check_image_branch(network, images, golden, "", rows)
    found = logits(network.config, network.variables, batch)
    close(found, golden["logits"])
    close(jax.nn.softmax(found), golden["probabilities"])


def test_every_layer_of_the_network_of_images_and_metadata(ztf_dir, packets):
    folder = ztf_dir / "golden" / STAMP_CLASSIFIER
    network, golden = published.load(folder, NETWORKS[STAMP_CLASSIFIER]), np.load(folder / "preprocessed_example.npz")
    alerts = detections([packets[int(candid)] for candid in golden["candid"]])
    batch, whole = inputs(network, alerts), ~alerts.filled
    assert whole.sum() == 7
    close(batch.stamps[whole, 0], golden["images"][whole])
    close(batch.static, golden["features"])
    close(normalised(network.config, network.variables, batch), golden["features_batchnorm"])
    for prefix, images, rows in (("", batch.stamps[:, 0], whole), ("noise_", golden["noise_images"], np.ones(8, bool))):
        check_image_branch(network, images, golden, prefix, rows)
        found = logits(network.config, network.variables, batch._replace(stamps=images[:, None]))
        close(found[rows], golden[f"{prefix}logits"][rows])
        close(jax.nn.softmax(found)[rows], golden[f"{prefix}probabilities"][rows])


@pytest.mark.slow
def test_storage_in_float16_changes_no_class(ztf_dir, packets):
    """From what is stored of each alert; a bright star beside the crop leaves few of the 11 bits to the crop."""
    folder = ztf_dir / "golden" / IMAGES_ONLY
    network, published_values = published.load(folder, NETWORKS[IMAGES_ONLY]), predictions(folder)
    stored = one_detection_each(decode(list(read_blocks(ztf_dir / "alerts")), pad_edges=False))
    found = probabilities(network, standardised(examples(stored, network.config), network.statistics))
    expected = np.array([published_values[candid] for candid in stored.candid])
    whole = ~detections([packets[candid] for candid in stored.candid]).filled
    assert len(whole) == N_ALERTS
    print(f"stamps stored as float16: probabilities differ by {np.abs(found - expected)[whole].max():.4f} at most")
    assert np.abs(found - expected)[whole].max() < 0.02
    np.testing.assert_array_equal(found[whole].argmax(axis=1), expected[whole].argmax(axis=1))


def one_detection_each(decoded: list[Decoded]) -> Sequences:
    """Every detection as an object of its own."""
    rows, keys = (np.concatenate([getattr(part, name) for part in decoded]) for name in ("rows", "keys"))
    none = np.full(len(rows), -1, np.int8)
    return of_alerts(
        stamps=rows["stamps"],
        metadata=rows["metadata"],
        jd=keys["jd"],
        candid=keys["candid"],
        fid=keys["fid"],
        object_id=keys["candid"].astype(str).astype(object),
        object_start=np.arange(len(rows) + 1),
        allwise=np.full((len(rows), 4), np.nan, np.float32),
        label=none,
        subclass=none,
        split=none,
    )
