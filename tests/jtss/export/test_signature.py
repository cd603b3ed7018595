"""What an exported model takes."""

from dataclasses import replace

from helpers.made_exported import NUMBERS, OF_ONE, OF_PACKETS, OF_THREE, model, of_packets
from jtss.export import signature


def test_only_what_is_read_is_taken():
    taken = {name: [each.name for each in signature.inputs_of(config)] for name, config in CONFIGS.items()}
    assert taken == {
        "one": ["stamps", "metadata"],
        "three": ["stamps", "metadata", "time_gap", "allwise"],
        "numbers": ["metadata", "time_gap", "allwise"],
    }
    assert signature.columns_read(OF_ONE) == ("ncovhist", "magpsf", "distpsnr2")


CONFIGS = {"one": OF_ONE, "three": OF_THREE, "numbers": NUMBERS}


def test_a_packet_is_its_alert_and_its_history():
    taken = {each.name: each.shape for each in signature.inputs_of(OF_PACKETS)}
    width = len(signature.HISTORY_COLUMNS)
    assert [*taken] == ["stamps", "metadata", "fid", "history", "allwise"]
    assert (taken["stamps"], taken["fid"], taken["history"]) == ((63, 63, 3), (), ("rows", width))
    assert {"magpsf", "isdiffpos", "distnr", "magnr"} <= {*signature.columns_read(OF_PACKETS)}
    assert {"days", "fid", "diffmaglim"} <= {*signature.history_read(OF_PACKETS)}
    assert "ra" not in signature.history_read(OF_PACKETS)


def test_what_a_model_gives_is_what_it_knows():
    whole = of_packets()
    assert [each.name for each in signature.outputs_of(whole)] == ["probabilities", "subclasses", "outlier"]
    assert [each.name for each in signature.outputs_of(model(OF_ONE))] == ["probabilities"]
    unaware = replace(whole, known_alerts=None)
    assert [each.name for each in signature.outputs_of(unaware)] == ["probabilities", "subclasses"]


def test_an_exported_model_calculates_in_float32_and_sees_one_stamp():
    exported = signature.exportable(of_packets())
    assert exported.config.precision == "float32"
    assert exported.config.packet.stamps == 1
