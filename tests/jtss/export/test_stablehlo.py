"""A model as StableHLO: in this process nearly, in processes as users have them to the last bit what jtss answers."""

import subprocess
import sys

import numpy as np
import pytest

from helpers.made_exported import OF_THREE, alerts, model
from helpers.places import ROOT
from helpers.programs import ENVIRONMENT
from jtss.export import signature, stablehlo, verification

WITH_JTSS = """
import sys, numpy as np
from pathlib import Path
from jtss import schema
from jtss.export import signature, stablehlo
from jtss.pretrained import load
from data_prep.simulate.dataset import chunks, simulate_chunk
folder = Path(sys.argv[1])
for name, layout in (("n1_enhanced", "NHWC"), ("n3_best", "NCHW")):
    model = signature.exportable(load.load_model(name))
    made = [simulate_chunk(chunk)[0] for chunk in chunks(64, 3, ("AGN", "SN", "VS"), "mixed")]
    objects = schema.join(made)
    index, _ = signature.raw_inputs(objects, model.config)
    objects = schema.take(objects, index[:8])
    _, raw = signature.raw_inputs(objects, model.config, layout)
    np.savez(folder / f"{name}.npz", *raw.values(), answers=signature.answers(model, objects)[1])
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
    answers, arrays = stored["answers"], [stored[f"arr_{i}"] for i in range(len(stored.files) - 1)]
    call = export.deserialize(bytearray(path.read_bytes())).call
    np.testing.assert_array_equal(np.asarray(call(*arrays)), answers)
    one = np.asarray(call(*(array[:1] for array in arrays)))
    np.testing.assert_allclose(one, answers[:1], atol=1e-6)
    print(path.stem, len(answers))
"""


def test_it_answers_as_jtss():
    made, sequences = signature.exportable(model(OF_THREE, n_members=2)), alerts()
    _, expected = signature.answers(made, sequences)
    _, raw = signature.raw_inputs(sequences, made.config)
    run = verification.of_stablehlo(stablehlo.to_bytes(made))
    np.testing.assert_allclose(run(raw), expected, atol=1e-6)


@pytest.mark.slow
def test_without_jtss_it_gives_the_same_bits(tmp_path):
    """Of batches as large as those that `predict` makes; of others the last bit may differ."""
    for program in (WITH_JTSS, WITHOUT_JTSS):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["8", "8", "n1_enhanced", "n3_best"]
