"""What a measurement was made with is named."""

from jtss.runs import provenance


def test_the_environment_names_device_and_versions():
    assert provenance.versions()["jax"]
    assert provenance.hardware()["device"]
    assert provenance.hardware()["n_cores"] >= 1
