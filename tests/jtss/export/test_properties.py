"""What an exported file says of itself."""

import json

from helpers.made_exported import OF_THREE, model
from jtss import schema
from jtss.export import properties


def test_the_properties_are_complete():
    made = model(OF_THREE, n_members=2)
    texts = properties.describe(made, "NHWC", "{}")
    assert (texts["model"], texts["layout"], texts["golden"]) == ("made", "NHWC", "{}")
    assert texts["version"] == "0.1.0+20260102T030405.s5.s5.t0.7"  # as of `jtss classify --calibrated`
    assert json.loads(texts["classes"]) == ["AGN", "SN", "VS"]
    assert (json.loads(texts["members"]), json.loads(texts["temperature"])) == (2, 0.7)
    inputs = {each["name"]: each for each in json.loads(texts["inputs"])}
    assert list(inputs) == ["stamps", "metadata", "time_gap", "allwise"]
    assert inputs["stamps"]["shape"] == ["batch", 3, 63, 63, 3]
    columns = inputs["metadata"]["columns"]
    assert [each["name"] for each in columns] == list(schema.METADATA_NAMES)
    told = {each["name"]: each for each in columns}
    assert told["magpsf"] == {"name": "magpsf", "unit": "mag", "of": "magpsf", "-999": "missing", "read": True}
    assert (told["distnr"]["-999"], told["rb"]["read"]) == ("a value", False)
    assert told["non_detections"]["of"] == "ncovhist - ndethist"
    statistics = json.loads(texts["normalisation"])["statistics"]
    assert set(statistics["static"]) == set(OF_THREE.metadata.static)
    assert [(each["name"], each["shape"]) for each in json.loads(texts["outputs"])] == [("probabilities", ["batch", 3])]
