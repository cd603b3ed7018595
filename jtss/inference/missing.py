"""What a model reads of an object and does not find there: pixels in its crop, values of the metadata.

The network takes a pixel without data for 0 and a missing value for its training mean, so it answers from nothing as
readily as from everything.
"""

from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config, MetadataConfig, StampConfig
from jtss.scaling import centre_crop
from jtss.schema import Sequences

NO_PIXELS = "no_usable_pixels"
EMPTY_CROP = "no_pixels_in_crop"
NO_SOURCE = "no_pixels_at_source"
SOURCE_SIDE = 5  # pixels; a source fills about so many
FEW_VALUES = "metadata_missing"
MUCH = 0.25  # of the metadata; real alerts have all of it, and a model is used to a value or two that are missing


class Missing(NamedTuple):
    """What N objects lack of what a model reads.

    Attributes:
        blank: [N] bool; the model reads images, and none of them has a pixel in the crop: nothing to answer by.
        notes: N remarks, "" where nothing or little is missing, and where there are too few detections to read.
    """

    blank: np.ndarray
    notes: list[str]


def missing(config: Config, sequences: Sequences) -> Missing:
    """Look for what `config` reads of the first n alerts of N objects; a model of packets answers without stamps."""
    found = _missing(config, sequences)
    if not config.packet.rows:
        return found
    no_stamps = [NO_PIXELS if blank else "" for blank in found.blank]
    notes = ["; ".join(filter(None, both)) for both in zip(no_stamps, found.notes, strict=True)]
    return Missing(np.zeros(sequences.n_objects, bool), notes)


def _missing(config: Config, sequences: Sequences) -> Missing:
    n, sequences = config.n_detections, views.alerts(sequences)
    index = np.flatnonzero(sequences.n_rows >= n)
    rows = sequences.object_start[index, None] + np.arange(n)
    empty = _empty(config.stamp, sequences.stamps, rows, config.stamp.crop)
    no_source = _empty(config.stamp, sequences.stamps, rows, SOURCE_SIDE) & ~empty
    absent, n_values = _absent(config.metadata, sequences.metadata[rows])
    blank, notes = np.zeros(sequences.n_objects, bool), [""] * sequences.n_objects
    if config.stamp.channels:
        blank[index] = empty.all(axis=(1, 2))
    for i, nowhere, not_there, n_absent in zip(index, empty, no_source, absent, strict=True):
        remarks = []
        if nowhere.any() and not blank[i]:
            remarks.append(f"{EMPTY_CROP}: {_where(nowhere, config.stamp.channels)}")
        if not_there.any():
            remarks.append(f"{NO_SOURCE}: {_where(not_there, config.stamp.channels)}")
        if n_absent > MUCH * n_values:
            remarks.append(f"{FEW_VALUES} {n_absent} of {n_values}")
        notes[i] = "; ".join(remarks)
    return Missing(blank, notes)


def _empty(config: StampConfig, stamps: np.ndarray, rows: np.ndarray, side: int) -> np.ndarray:
    """[B, N, C] bool: this image has no pixel in its central square."""
    channels = [schema.CHANNEL_NAMES.index(name) for name in config.channels]
    seen = centre_crop(stamps, side)[..., channels]
    return np.isnan(seen).all(axis=(1, 2))[rows]


def _absent(config: MetadataConfig, metadata: np.ndarray) -> tuple[np.ndarray, int]:
    """[B]: how many of the values that the model reads are missing in [B, N, 26]; and how many it reads.

    Colours do not count: most objects have no match in AllWISE.
    """
    columns = {name: i for i, name in enumerate(schema.METADATA_NAMES)}
    columns |= {name: columns[source] for name, source in schema.DERIVED_FROM.items()}
    everywhere = {columns[name] for name in config.dynamic if name in columns}
    last = {columns[name] for name in config.static if name in columns} - everywhere
    lost = np.isnan(metadata)
    count = lost[..., sorted(everywhere)].any(axis=1).sum(axis=-1) + lost[:, -1, sorted(last)].sum(axis=-1)
    return count, len(everywhere | last)


def _where(empty: np.ndarray, channels: tuple[str, ...]) -> str:
    """Names of the empty images [N, C]: "template", or "template of detection 2" where there are several detections."""
    one = len(empty) == 1
    names = [channels[c] + ("" if one else f" of detection {d + 1}") for d, c in np.argwhere(empty)]
    return ", ".join(names)
