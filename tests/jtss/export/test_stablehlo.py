"""A model as StableHLO: in this process nearly, in processes as users have them to the last bit what jtss answers."""

import subprocess
import sys

import numpy as np
import pytest

from helpers.made_exported import OF_THREE, alerts, model
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from jtss.export import samples, signature, stablehlo, verification

WITH_JTSS = """
import sys, numpy as np
from pathlib import Path
from jtss import schema
from jtss.export import samples, signature, stablehlo
from jtss.pretrained import load
from data_prep.simulate.dataset import chunks, simulate_chunk
folder = Path(sys.argv[1])
for name, layout in (("n1_enhanced", "NHWC"), ("n3_best", "NCHW"), ("any", "NHWC")):
    model = signature.exportable(load.load_model(name))
    made = [simulate_chunk(chunk)[0] for chunk in chunks(64, 3, ("AGN", "SN", "VS"), "mixed")]
    objects = schema.join(made)
    own = np.flatnonzero(objects.n_alerts == model.config.n_detections)[:8]
    objects, pixels = samples.as_decoded(schema.take(objects, own), 0)
    _, raw = samples.raw_inputs(objects, model.config, layout, pixels)
    _, given = samples.answers(model, objects)
    given = {f"answer_{i}": array for i, array in enumerate(given.values())}
    np.savez(folder / f"{name}.npz", *raw.values(), **given)
    (folder / f"{name}.stablehlo").write_bytes(stablehlo.to_bytes(model, layout))
"""
WITHOUT_JTSS = """
import sys
sys.modules["jtss"] = sys.modules["flax"] = None
from pathlib import Path
import numpy as np
from jax import export
for path in Path(sys.argv[1]).glob("*.stablehlo"):
    stored = np.load(path.with_suffix(".npz"))
    answers, arrays = ([stored[name] for name in stored.files if name.startswith(kind)] for kind in ("answer_", "arr_"))
    call = export.deserialize(bytearray(path.read_bytes())).call
    one = call(*(array[:1] for array in arrays))
    for given, alone, answer in zip(*(x if isinstance(x, tuple) else (x,) for x in (call(*arrays), one)), answers):
        np.testing.assert_array_equal(given, answer)
        np.testing.assert_allclose(alone, answer[:1], atol=2e-6)
    print(path.stem, len(answers))
"""


def test_it_answers_as_jtss():
    made, sequences = signature.exportable(model(OF_THREE, n_members=2)), alerts()
    _, expected = samples.answers(made, sequences)
    _, raw = samples.raw_inputs(sequences, made.config)
    run = verification.of_stablehlo(stablehlo.to_bytes(made), made)
    np.testing.assert_allclose(run(raw)["probabilities"], expected["probabilities"], atol=1e-6)

    found = []
    for value in (np.nan, np.inf):
        raw["metadata"][0, -1, 5], raw["allwise"][0, 0] = value, -value
        found.append(run(raw)["probabilities"])
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
def test_without_jtss_it_gives_the_same_bits(tmp_path):
    """Of batches as large as those that `predict` makes; of others the last bit may differ."""
    for program in (WITH_JTSS, WITHOUT_JTSS):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["1", "1", "3", "any", "n1_enhanced", "n3_best"]
