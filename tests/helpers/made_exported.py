"""Small models with random weights, and alerts with all that an exported file has to stand."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from helpers.made_runs import SMALL
from helpers.made_sequences import COLUMN, sequences
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.inference.model import Member, Model, Outcome
from jtss.network import inputs, network, packets
from jtss.scaling import min_max

# Of every kind: as they are, logarithms with and without a missing-value code, an absolute value, colours, bits.
DYNAMIC = "time_gap,magpsf,log_ndethist,isdiffpos,has_counters,has_shape,fwhm"
STATIC = "ndethist,log_distpsnr1,log_distnr,sgscore1,log_chinr,abs_gal_b,W1-W2,W3-W4,has_allwise,has_reference_source"
METADATA = [f"metadata.dynamic={DYNAMIC}", f"metadata.static={STATIC}"]
HIDDEN = [f"hide.{group}=0.1" for group in ("counters", "shape", "allwise", "reference_source")]
OF_THREE = settings.override(
    named.get("demo"), [*SMALL, *METADATA, *HIDDEN, "stamp.copies=2", "stamp.channels=science,template"]
)
OF_ONE = settings.override(
    named.get("n1_baseline"),
    [*SMALL, "metadata.static=magpsf,log_ncovhist,has_counters,distpsnr2", "hide.counters=0.1", "stamp.copies=3"],
)
NUMBERS = settings.override(OF_THREE, ["stamp.channels=", "hide.stamps=0", "head.units=4", "head.dropout=0"])


def alerts(counts=(3, 4, 3, 3, 5), seed=0):
    """Objects with values missing, beyond the training range, -999 and 0; and stamps with borders of NaN."""
    rng, made = np.random.default_rng(seed), sequences(counts, seed=seed)
    metadata, stamps = made.metadata * 3, made.stamps.copy()
    for name, scale in (("ndethist", 300), ("ncovhist", 5000), ("distpsnr1", 20), ("distnr", 5), ("gal_b", 60)):
        metadata[:, COLUMN[name]] *= scale
    metadata[rng.random(metadata.shape) < 0.2] = np.nan
    metadata[::4, [COLUMN["distpsnr1"], COLUMN["distnr"], COLUMN["sgscore1"]]] = -999
    metadata[1::4, [COLUMN["ndethist"], COLUMN["distnr"]]] = 0
    for stamp, cut in zip(stamps, rng.integers(0, 40, len(stamps)), strict=True):  # up to beyond the source
        stamp[:, :cut, rng.integers(0, 3)] = np.nan
    stamps[0, :, :, 0] = 0.5  # no contrast
    stamps[1] = np.nan
    stamps = min_max(stamps).astype(np.float16)  # as in every data set
    allwise = rng.normal(14, 2, made.allwise.shape).astype(np.float32)
    allwise[::2, 3] = np.nan
    return replace(made, metadata=metadata, stamps=stamps, allwise=allwise)


def model(config: Config, *, n_members=1, temperature=0.7) -> Model:
    """A model that knows the range of other alerts."""
    seen = packets.to_train(sequences([config.n_detections] * 20, seed=9), config)
    statistics = inputs.fit(seen.dynamic, seen.static, config.metadata)
    shapes = jax.eval_shape(partial(network.init, config), jax.random.key(0))
    members = []
    for seed in range(n_members):
        rng = np.random.default_rng(seed)
        variables = jax.tree.map(lambda leaf, rng=rng: rng.normal(0, 0.4, leaf.shape).astype(np.float32), shapes)
        variables["params"]["head"]["logits"]["kernel"] *= np.float32(0.1)  # no answer is certain
        variables["batch_stats"] = jax.tree.map(lambda leaf: np.abs(leaf) + np.float32(0.5), variables["batch_stats"])
        members.append(Member(seed, variables, Outcome(5, 5, 5, 0.9, 0.4)))
    provenance = {"started": "2026-01-02T03:04:05+0000", "versions": {"jtss": "0.1.0"}}
    return Model("made", config, statistics, tuple(members), provenance, temperature=temperature)
