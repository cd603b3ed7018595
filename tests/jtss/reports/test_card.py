"""The card of a model says what it is made of, and what was not done."""

from dataclasses import replace

import pytest

from helpers.made_models import made_model
from jtss.config import named
from jtss.config.settings import override
from jtss.pretrained import file
from jtss.reports import card


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("cards"), "tiny")


def made_card(folder, **changes):
    trained = file.read(folder / "files" / "tiny.h5")
    return card.text("tiny", replace(trained, **changes), "77ab")


def test_the_card_says_what_it_is_made_of(folder):
    text = made_card(folder)
    assert "| train | 4 | 4 | 4 |" in text
    for words in (
        "SHA-256 `77ab`",
        "`python train.py`",
        "Alerts of the survey made",
        "Real test split",
        "of 12 objects",
    ):
        assert words in text
    assert "Simulated alerts only" not in text
    assert "--ckpt run`" in text  # the report's command without the folders of this machine
    assert str(folder) not in text


def test_the_card_names_every_difference_from_the_named_configuration(folder):
    text = made_card(folder)
    assert "**Not the named configuration `demo`**" in text
    assert "  - stamp.copies: this model 1, named configuration 2" in text
    assert "  - encoder.units: this model (4), named configuration (64)" in text
    whole = made_card(folder, config=named.get("demo"))
    assert "The named configuration `demo`, unchanged." in whole


def test_the_card_of_a_model_of_packets_says_that_it_reads_whole_packets(folder):
    text = made_card(folder, config=override(named.get("any_gru"), ["classes=AGN,SN,VS"]))
    assert "from one packet, an alert with the detections and upper limits of 30 days" in text
    assert "from a single alert" not in text
    assert ", recurrent (not in the paper" in text
    assert "Within a class it tells apart: SN Ia, other SN, RR Lyrae," in text
    assert "How well was measured on no real alert." in text
    assert "an answer depends on no later row" in text
    assert "tells apart" not in made_card(folder)


def test_the_card_says_how_the_classes_were_balanced(folder):
    said = {
        "uniform": "it saw all classes equally often;",
        "counts": "equal class priors at each of these counts",
        "natural": "",
    }
    for balance, words in said.items():
        config = override(named.get("demo"), [f"training.class_balance={balance}"])
        text = made_card(folder, config=config)
        assert words in text
        assert ("equally often" in text) == bool(words)


def test_the_card_is_honest_about_what_was_not_done(folder):
    trained = file.read(folder / "files" / "tiny.h5")
    assert "not been measured on real alerts" not in made_card(folder)
    assert "not been measured on real alerts" in made_card(folder, results=[])
    training = trained.provenance["training"]
    early = trained.provenance | {"training": [training[0] | {"steps": 7}]}
    assert "stopped before its end" in made_card(folder, provenance=early)
    assert "stopped before its end" not in made_card(folder)
    simulated = trained.provenance["training_data"] | {"survey": "ZTF (simulated)"}
    assert "no real alert was a training example" in made_card(
        folder, provenance=trained.provenance | {"training_data": simulated}
    )


def test_results_on_simulated_skies_are_told_apart(folder):
    trained = file.read(folder / "files" / "tiny.h5")
    (result,), learnt = trained.results, trained.provenance["training_data"]
    result |= {"title": "simulated test split"}
    command = "jtss data simulate --objects 90 --seed 31 --out sky.h5"
    skies = (
        (command, trained.provenance["data_hash"]),
        (f"python -m {command}", "another"),  # on another machine
        (command.replace("31", "77"), "third"),
    )
    results = [
        result | {"data": result["data"] | {"made_by": made_by, "content_hash": content_hash}}
        for made_by, content_hash in skies
    ]
    provenance = trained.provenance | {"training_data": learnt | {"command": command}}
    text = made_card(folder, provenance=provenance, results=results)
    assert text.count("### Simulated test split of the training sky (seed 31): ") == 2
    assert text.count("### Simulated test split of an independent sky (seed 77): ") == 1
    assert text.count("the content hash differs") == 1
    assert text.index("`another`") < text.index("the content hash differs") < text.index("`third`")
    sky = {"data": "sky.h5", "data_hash": "third", "training_data": learnt | {"command": skies[2][0]}}
    own = {name: provenance[name] for name in ("data", "data_hash", "training_data")}
    for more in (
        {"mixture": [one | {"weight": 0.5} for one in (own, sky)]},
        {"began_with": {"model": "m", "version": "v", "content_hash": "c", "parts": [], "statistics": "s",
                        "learnt_from": [sky]}},
    ):  # fmt: skip
        text = made_card(folder, provenance=provenance | more, results=results)
        assert "### Simulated test split of the training sky (seed 77): " in text
        assert "independent sky" not in text
        assert text.count("the content hash differs") == 1


@pytest.mark.parametrize(
    ("content_hash", "words"), [(None, "the training data"), ("another", "another data set (made by `x`)")]
)
def test_the_card_says_what_the_temperature_was_fitted_to(folder, content_hash, words):
    own = file.read(folder / "files" / "tiny.h5").provenance
    calibration = {"made_by": "x", "content_hash": content_hash or own["data_hash"], "split": "all"}
    text = made_card(folder, provenance=own | {"calibration": calibration}, temperature=1.5)
    assert f"fitted to the validation split of {words}: " in text


@pytest.mark.parametrize(("option", "words"), [("", "(seed 31)"), (" --sky mixed", "(seed 31, mixed sky)")])
def test_the_kind_of_sky_is_named_where_its_command_names_it(folder, option, words):
    trained = file.read(folder / "files" / "tiny.h5")
    command = f"jtss data simulate --objects 90 --seed 31{option} --out sky.h5"
    (result,), learnt = trained.results, trained.provenance["training_data"]
    result |= {"title": "simulated test split", "data": result["data"] | {"made_by": command}}
    provenance = trained.provenance | {"training_data": learnt | {"command": command}}
    text = made_card(folder, provenance=provenance, results=[result])
    assert f"### Simulated test split of the training sky {words}: " in text
    assert f"- Made by `{command}` {words}; content hash" in text


def row(name, accuracy, objects=20):
    one = {"objects": objects, "correct": 0, "accuracy": accuracy, "wilson_interval": [0.1, 0.9]}
    recall = {"AGN": one, "SN": one | {"objects": 0, "accuracy": None}, "VS": one}
    return one | {"name": name, "mean_recall": accuracy, "recall": recall}


def test_the_card_says_what_an_accuracy_rests_on(folder):
    trained = file.read(folder / "files" / "tiny.h5")
    (result,) = trained.results
    assert "What this rests on" not in made_card(folder)
    measured = {"inputs": [row("nothing withheld", 0.75), row("stamps zeroed", 0.5)], "versions": []}
    text = made_card(folder, results=[result | {"ablations": measured}])
    assert "What this rests on (20 objects)" in text
    assert "|  | accuracy | mean recall | AGN recall | VS recall |" in text  # no supernova was there
    assert "| stamps zeroed | 50.0 % (10.0–90.0 %) | 50.0 % | 50.0 % | 50.0 % |" in text
    assert "Five versions" not in text
    assert "Results in the documentation has such a measurement" in text
    measured["versions"] = [row("as they came", 0.75), row("counters hidden", 0.25)]
    text = made_card(folder, results=[result | {"ablations": measured}])
    assert "| counters hidden | 25.0 % (10.0–90.0 %) |" in text
    assert "Five versions" in text
    assert "Results, above, say how well it does then." in text
    assert "Results in the documentation has such a measurement" not in text


def test_the_simulator_still_calls_its_survey_simulated():
    dataset = pytest.importorskip("data_prep.simulate.dataset")
    assert dataset.SURVEY.endswith(card.SIMULATED)
