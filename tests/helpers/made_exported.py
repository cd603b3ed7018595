"""Small models with random weights, and alerts with all that an exported file has to stand."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from helpers.made_explained import TINY
from helpers.made_runs import SMALL
from helpers.made_sequences import COLUMN, sequences, with_histories
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.inference import known_alerts
from jtss.inference.model import Member, Model, Outcome
from jtss.network import inputs, network
from jtss.network.packets import to_train
from jtss.scaling import min_max
from jtss.schema import DETECTION, LIMIT

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
OF_PACKETS = settings.override(TINY, ["stamp.crop=9", "stamp.copies=2", "temporal.units=8"])
ATTENTIVE = settings.override(OF_PACKETS, ["temporal.kind=attention"])
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


def packets(counts=(2, 1, 3, 1, 1, 2), seed=0, most=12):
    """Alerts with a past in magnitudes: detected twice in an exposure, from before the month, of an unknown filter."""
    made = with_histories(alerts(counts, seed), seed, most)
    rng, metadata, jd, fid = np.random.default_rng(seed), made.metadata.copy(), made.jd.copy(), made.fid.copy()
    told, m = made.kind != LIMIT, len(made.kind)
    ranges = {"magpsf": (17, 21), "diffmaglim": (19, 21), "magnr": (16, 22), "distnr": (0, 3)}
    for name, limits in ranges.items():
        values = rng.uniform(*limits, m)
        metadata[:, COLUMN[name]] = np.where(told | (name == "diffmaglim"), values, np.nan)
    metadata[:, COLUMN["isdiffpos"]] = np.where(told, rng.integers(0, 2, m), np.nan)
    for name in ("magnr", "distnr"):  # unknown, and none within reach
        metadata[told & (rng.random(m) < 0.2), COLUMN[name]] = np.nan
        metadata[told & (rng.random(m) < 0.2), COLUMN[name]] = -999
    again = np.flatnonzero((np.diff(jd) > 0) & (made.kind[1:] == DETECTION) & (made.kind[:-1] == DETECTION))[::2]
    jd[again], fid[again] = jd[again + 1], fid[again + 1]
    return replace(made, metadata=metadata, jd=jd, fid=fid)


def of_packets(config: Config = OF_PACKETS, n_members=2) -> Model:
    """A model of packets that knows how far known alerts are from each other."""
    made, rng = model(config, n_members=n_members), np.random.default_rng(4)
    known = known_alerts.like(n_members, len(config.classes), config.head.units[-1])
    far = np.sort(rng.uniform(1, 30, len(known.distances)))
    far[10:12] = far[10]  # two quantiles may be the same
    return replace(
        made,
        known_alerts=known._replace(
            means=rng.normal(0, 1, known.means.shape).astype(np.float32),
            whitening=rng.normal(0, 0.5, known.whitening.shape).astype(np.float32),
            distances=far,
        ),
    )


def model(config: Config, *, n_members=1, temperature=0.7) -> Model:
    """A model that knows the range of other alerts."""
    learnt = sequences([config.n_detections] * 20, seed=9)
    bright = np.random.default_rng(9).normal(14, 2, learnt.allwise.shape).astype(np.float32)
    seen = to_train(replace(learnt, allwise=bright), config)
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
