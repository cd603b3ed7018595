"""Published classifiers of first alerts, run by our code: each checks the other, and new models have a yardstick.

Whoever has the weights of such a network as NumPy arrays under their TensorFlow names can classify alerts with it:

    network = published.load(folder, published.STAMP_CLASSIFIER)  # reads weights.npz and norm_stats.json
    batch = inputs.standardised(inputs.examples(sequences, network.config), network.statistics)
    logits, _ = network.apply(network.config, network.variables, batch, train=False)

`as_model` makes of such a folder what a trained model is, for `jtss realism --beside`.

On real alerts the probabilities are the published ones to 3e-6; images stored in float16 change them by up to 0.013,
where a bright star beside the crop leaves it few steps of the scale. Fill values count as missing here, there as dark.

Carrasco-Davis et al. 2021, of which the ALeRCE broker published two trained networks with its code.
"""

import json
import math
import zipfile
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jtss import schema
from jtss.config.settings import Config, EncoderConfig, HeadConfig, MetadataConfig, StampConfig, TemporalConfig
from jtss.errors import InputError, shortly
from jtss.inference.model import Member, Model, Outcome
from jtss.network import network
from jtss.network.inputs import Statistics
from jtss.network.parts import Variables

IMAGES_ONLY = Config(
    name="published_images_only",
    origin="Carrasco-Davis et al. 2021, images only",
    paper_accuracy="",
    n_detections=1,
    classes=schema.CLASS_NAMES,
    stamp=StampConfig(schema.CHANNEL_NAMES, crop=21, copies=4, rotation_range_deg=0),
    metadata=MetadataConfig(dynamic=(), static=()),
    encoder=EncoderConfig(kernels=(4, 3, 3, 3, 3), units=(64, 64), dropout=0.5),
    temporal=TemporalConfig("none"),
    head=HeadConfig(units=(), dropout=()),
    precision="float32",
)
STATISTICS = "norm_stats.json"
METADATA_NAMES = (
    *("sgscore1", "distpsnr1", "sgscore2", "distpsnr2", "sgscore3", "distpsnr3", "isdiffpos", "fwhm", "magpsf"),
    *("sigmapsf", "ra", "dec", "diffmaglim", "rb", "distnr", "magnr", "classtar", "ndethist", "ncovhist"),
    *("ecl_lat", "ecl_lon", "gal_b", "gal_l", "non_detections", "chinr", "sharpnr"),
)
STAMP_CLASSIFIER = replace(
    IMAGES_ONLY,
    name="published_stamp_classifier",
    origin="Carrasco-Davis et al. 2021",
    metadata=MetadataConfig(dynamic=(), static=METADATA_NAMES),
    encoder=replace(IMAGES_ONLY.encoder, units=(64,)),
    head=HeadConfig(units=(64, 64), dropout=(0.5, 0.5)),
)

# Our layers as TensorFlow calls them; the last number counts layers, also those without weights.
CONVOLUTIONS = {f"conv_{i}": f"conv_{i}_{number}/conv2d" for i, number in enumerate((1, 2, 4, 5, 6), start=1)}
THEIR_LAYERS = {
    IMAGES_ONLY: {
        "encoder": CONVOLUTIONS | {"dense_1": "dense_1_9/dense_1_9", "dense_2": "dense_2_10/dense_2_10"},
        "head": {"logits": "output_logits"},
    },
    STAMP_CLASSIFIER: {
        "encoder": CONVOLUTIONS | {"dense_1": "dense_1_10/dense_1_10"},
        "head": {"dense_1": "dense_2_12/dense_2_12", "dense_2": "dense_3_13/dense_3_13", "logits": "output_logits"},
    },
}
THEIR_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
OUR_FEATURES = {"ecl_long": "ecl_lon", "gal_lat": "gal_b", "gal_long": "gal_l"}


class PublishedError(InputError):
    """A file that does not fit the network; the message names file and array, what is there and what was expected."""


class Network(NamedTuple):
    """A published network with all that it needs to read alerts."""

    config: Config
    variables: Variables
    statistics: Statistics


def load(folder: str | Path, config: Config) -> Network:
    """The published weights as our variables.

    Args:
        folder: holds weights.npz and, for a network that reads metadata, norm_stats.json: a list of {name, mean, std,
            clip_low, clip_high} in the order of the inputs, null = no limit.
        config: IMAGES_ONLY or STAMP_CLASSIFIER.

    Raises:
        PublishedError: a file is damaged; an array or a feature is missing, unknown or of another shape.
        OSError: a file cannot be read.
    """
    path = Path(folder, "weights.npz")
    arrays = _arrays(path)
    expected = jax.eval_shape(partial(network.init, config), jax.random.key(0))
    names = jax.tree_util.tree_map_with_path(lambda keys, _: _their_name(config, *(key.key for key in keys)), expected)
    shapes = dict(zip(jax.tree.leaves(names), jax.tree.leaves(expected), strict=True))
    for name in sorted({*arrays, *shapes}):
        ours, theirs = (f"{a[name].dtype} {a[name].shape}" if name in a else "no such array" for a in (shapes, arrays))
        if ours != theirs:
            raise PublishedError(f"{path}: {name}: {theirs}, expected {ours}")
    variables = jax.tree.map(lambda name: jnp.asarray(arrays[name]), names)
    return Network(config, variables, _statistics(Path(folder, STATISTICS), config.metadata))


def as_model(folder: str | Path) -> Model:
    """The network of a folder as a model: the one that reads metadata where the folder has statistics of them.

    Raises:
        PublishedError, OSError: as `load`.
    """
    published = load(folder, STAMP_CLASSIFIER if Path(folder, STATISTICS).exists() else IMAGES_ONLY)
    unknown = Outcome(0, 0, 0, math.nan, math.nan)
    return Model(str(folder), published.config, published.statistics, (Member(0, published.variables, unknown),), {})


def _their_name(config: Config, collection: str, module: str, *path: str) -> str:
    """TensorFlow's name of one of our variables."""
    if module == "static_norm":
        return f"network/batchnorm_features/{THEIR_NORM[path[-1]]}"
    layer, array = path
    return f"network/{THEIR_LAYERS[config][module][layer]}/{array}"


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:  # alone, np.load tries a pickle
            return dict(archive)
    except (zipfile.BadZipFile, zlib.error, ValueError) as error:
        raise PublishedError(f"{path}: {error}, expected arrays without pickles in an .npz archive") from None


def _statistics(path: Path, config: MetadataConfig) -> Statistics:
    if not config.static:
        return Statistics.from_dict({"dynamic": {}, "static": {}})
    try:
        rows = {OUR_FEATURES.get(row["name"], row["name"]): _row(row) for row in json.loads(path.read_text())}
    except (ValueError, TypeError, KeyError) as error:
        raise PublishedError(f"{path}: no list of name, mean, std, clip_low and clip_high ({shortly(error)})") from None
    if tuple(rows) != config.static:
        raise PublishedError(f"{path}: features {', '.join(rows)}, expected {', '.join(config.static)}")
    sign = rows["isdiffpos"]  # theirs is 1 where ours is 0: (1 - x - mean) / std = (x - (1 - mean)) / -std
    sign["mean"], sign["std"] = 1 - sign["mean"], -sign["std"]
    sign["lower"], sign["upper"] = 1 - sign["upper"], 1 - sign["lower"]
    return Statistics.from_dict({"dynamic": {}, "static": rows})


def _row(row: dict) -> dict[str, float]:
    return {
        "lower": -math.inf if row["clip_low"] is None else float(row["clip_low"]),
        "upper": math.inf if row["clip_high"] is None else float(row["clip_high"]),
        "mean": float(row["mean"]),
        "std": float(row["std"]),
    }
