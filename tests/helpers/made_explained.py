"""A model of packets with random weights, and what it says of an object with a past."""

from dataclasses import replace
from unittest import mock

import numpy as np

from helpers.made_runs import make_run, write_data
from helpers.made_sequences import sequences, with_histories
from jtss import files, schema
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import held_out
from jtss.pretrained import file
from jtss.reports import export
from jtss.training import trained

TINY = override(
    named.get("any_gru"),
    ["stamp.crop=5", "stamp.copies=1", "stamp.rotation_range_deg=0", "encoder.filters=2,2,3,3,3", "encoder.units=3",
     "temporal.units=4", "head.units=4", "head.dropout=0", "packet.rows=6"],
)  # fmt: skip
MADE = with_histories(sequences([3, 1], label=[2, -1]), most=9)
MADE = replace(MADE, metadata=np.abs(MADE.metadata), allwise=np.full((2, 4), 12, np.float32))
ONE = schema.take(MADE, np.array([0]))


TEMPERATURE = 1.75


def warm_of_packets(folder):
    """The file of a model of packets that knows a temperature, of `run_of_packets` in the same folder."""
    run_of_packets(folder)
    with mock.patch.object(held_out, "fit", return_value=None):  # the data have too few objects
        model = export.from_run(folder / "run")
    path = folder / "models" / "warm.h5"
    path.parent.mkdir()
    path.write_bytes(file.to_bytes(replace(model, temperature=TEMPERATURE)))
    files.write_sums(path.parent)
    return path


def run_of_packets(folder):
    """A run directory of `TINY` in a folder, opened."""
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5", certainty=0.05)
    return trained.load(folder / "run")
