"""The model card: what a trained model is, what it learnt from, how good it is, and where it must not be trusted.

After Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993.
"""

import math
from collections.abc import Iterable, Sequence

import jax

from jtss import schema
from jtss.config import settings
from jtss.config.named import CONFIGS
from jtss.config.settings import Config
from jtss.inference.known_alerts import abstention
from jtss.inference.model import reads, simulated_sky, training_files
from jtss.pretrained.file import TrainedModel
from jtss.reports.page import UNDEFINED, interval, percent
from jtss.reports.sections import ablations

SIMULATED = "(simulated)"  # how the name of a simulated survey ends
CITATION = (
    "D. Neira O., P. A. Estévez and F. Förster, *Temporal Stamp Classifier: Classifying Short Sequences of Astronomical"
    " Alerts*, arXiv:2405.15073 (TSC)"
)
SIMULATED_TEACHERS = (
    "Simulated alerts only; no real alert was a training example. Distributions of the simulator were fitted to"
    " published real alerts, and its constants were adjusted in view of scores on the labelled ones: a score on those"
    " is not independent."
)
BALANCED = (
    "In training it saw all classes equally often; on the sky they are not equally common. Its probabilities are for"
    " equal class priors; `jtss classify --priors` gives those for the priors that you expect."
)
BALANCED_AT_COUNTS = (
    "In training it saw the classes equally often at each count of detections and exposures, as far as each class has"
    " such objects; on the sky they are not equally common. Its probabilities are for equal class priors at each of"
    " these counts; `jtss classify --priors` multiplies them by the priors that you expect, the same at all counts."
)
SIMULATED_SCORES = (
    "Accuracy on simulated alerts is not accuracy on the sky: the simulator leaves out whatever it does not model."
)
NOT_MEASURED = "**It has not been measured on real alerts.**"
NOT_FIRST = (
    "Published real alerts are mostly from the middle of an object's history: how well it classifies the true first"
    " alerts of real objects is not known."
)
LOOK_ALIKE = "Blazars and other AGN whose host looks like a star are mistaken for variable stars, and vice versa."
ZTF_ONLY = "ZTF only: pixel scale, metadata and their meaning are those of ZTF."
SEEN_BEFORE = (
    "It reads how often the object was detected before (ndethist); labels of asteroids often rest on that as well, so"
    " recall of asteroids on such labels looks better than it is."
)
SCORED_BEFORE = (
    "It reads ZTF's real–bogus score rb; labels of bogus are often made from it, so recall of bogus on such labels"
    " looks better than it is."
)
BY_COUNTERS = (
    "It reads how often the object was detected before. At a true first alert, where that says nothing, or with the"
    " counters missing, expect far more errors: Results in the documentation has such a measurement on real alerts."
)
BY_COUNTERS_ABOVE = (
    "It reads how often the object was detected before, which says nothing at a true first alert, and may be missing:"
    " Results, above, say how well it does then."
)
BOGUS_ONCE = (
    "Bogus that is detected again at its place is rare, and half of it was kept out of the training: of the pasts of"
    " bogus it knows few."
)
HISTORY = {"ndethist", "non_detections", "log_ndethist", "log_non_detections"}
NOT_WHY = (
    "A high score says that an alert looks unlike those that the model knows, and not why: it may be of something new,"
    " of something rare in a known class, or spoilt by a damaged stamp or a missing value. It is no discovery, and an"
    " alert of an unknown kind may look usual."
)
COVERAGES = (0.99, 0.95, 0.9, 0.8, 0.5)
INTENDED_USE = (
    "To sort ZTF alerts for people and programs that look further: candidates for follow-up, a first class while a"
    " light curve grows. Not as labels for population statistics, and not without your own check where a wrong class"
    " costs telescope time."
)


def text(name: str, trained: TrainedModel, sha256: str) -> str:
    """The card of a model file, as Markdown.

    Args:
        name: of the model.
        trained: what its file holds.
        sha256: sum of its file.
    """
    parts = [
        f"# {name}\n\n{_introduction(name, trained)}",
        _section("Inputs", _inputs(trained.config)),
        _section("Training data", _training_data(trained)),
        _section("Recipe", _recipe(trained)),
        _section("Results", sections(trained)),
        *_calibration(name, trained),
        *_unusual_and_uncertain(name, trained),
        _section("Limits", _limits(trained)),
        _section("Intended use", _intended_use(name)),
        _section("Cite", [f"- {CITATION}."]),
        _section("File", _file(name, trained, sha256)),
    ]
    return "\n\n".join(parts) + "\n"


def is_real(result: dict) -> bool:
    """Whether a result was measured on real alerts."""
    return not result["data"]["survey"].endswith(SIMULATED)


def headline(result: dict, trained: TrainedModel) -> str:
    """ "real alerts 89.6 % of 1,000", for a list of models: of a handful, a percentage says little."""
    return f"{subject(result, trained)} {percent(result['accuracy']['value'])} of {result['n_objects']:,}"


def subject(result: dict, trained: TrainedModel) -> str:
    """What a result was measured on; of a simulated sky whether it is the one that the model was trained on."""
    sky = simulated_sky(result["data"]["made_by"])
    if sky is None:
        return result["title"]
    whose = "the training sky" if sky in _own_skies(trained) else "an independent sky"
    return f"{result['title']} of {whose} ({_named_sky(result['data']['made_by'])})"


def _named_sky(command: str) -> str:
    """Seed and kind of a simulated sky; no kind where the command does not name one, since the default has changed."""
    sky = simulated_sky(command)
    return f"seed {sky['--seed']}" + (f", {sky['--sky']} sky" if "--sky" in command else "")


def _own_skies(trained: TrainedModel) -> list[dict | None]:
    """Which objects were simulated for each file that the weights were learnt from; None where they were not."""
    return [simulated_sky(str(one["training_data"].get("command", ""))) for one in training_files(trained.provenance)]


def sections(trained: TrainedModel) -> list[str]:
    """The lines of all results; one that says so where there are none."""
    if not trained.results:
        return ["None: no evaluation was given when this file was written."]
    lines = []
    for result in trained.results:
        lines += [*_results_section(result, trained), ""]
    return [*lines, "Intervals are 95 %: Wilson's for accuracy, recall and precision, bootstrap for mean recall."]


def _results_section(result: dict, trained: TrainedModel) -> list[str]:
    classes, title = trained.config.classes, subject(result, trained)
    accuracy, balanced = result["accuracy"], result["balanced_accuracy"]
    head = ["true class", "objects", "recall", "precision", *(f"predicted {name}" for name in classes)]
    scores = {
        "accuracy": _scored(accuracy["value"], accuracy["wilson_interval"]),
        "mean recall of the classes present": _scored(balanced["value"], balanced["interval"]),
        "cross-entropy": f"{result['cross_entropy_nat']:.3f} nat",
    }
    return [
        f"### {title[0].upper()}{title[1:]}: {percent(accuracy['value'])} of {result['n_objects']:,} objects",
        "",
        f"- {', '.join(f'{name} {score}' for name, score in scores.items())}",
        *_origin(result, trained),
        *(f"- **{warning}**" for warning in result["warnings"]),
        "",
        *table(head, [_row(result, classes, i) for i in range(len(classes))]),
        *_beside(result, trained),
        *_rests_on(result.get("ablations")),
    ]


def _beside(result: dict, trained: TrainedModel) -> list[str]:
    """This model among others that learnt from the same data, on the same kind of objects."""
    others = result.get("beside", [])
    if not others:
        return []
    own = {"name": "this model", "reads": reads(trained.config), "n_seeds": len(trained.members)} | result
    rows = [
        [
            one["name"],
            one["reads"],
            str(one["n_seeds"]),
            f"{one['n_objects']:,}",
            _scored(one["accuracy"]["value"], one["accuracy"]["wilson_interval"]),
            _scored(one["balanced_accuracy"]["value"], one["balanced_accuracy"]["interval"]),
        ]
        for one in (own, *others)
    ]
    head = ["model", "reads", "trainings", "objects", "accuracy", "mean recall"]
    return ["", "Beside models that learnt from the same data:", "", *table(head, rows)]


def _rests_on(measured: dict | None) -> list[str]:
    """What the accuracy rests on; nothing where that was not measured."""
    if not measured:
        return []
    n_objects = f"{measured['inputs'][0]['objects']:,} objects"
    lines = [
        "",
        f"What this rests on ({n_objects}). {ablations.MEANING}",
        "",
        *table(*ablations.rows(measured["inputs"])),
    ]
    if measured["versions"]:
        lines += ["", ablations.VERSIONS_MEANING, "", *table(*ablations.rows(measured["versions"]))]
    return lines


def _origin(result: dict, trained: TrainedModel) -> list[str]:
    data = result["data"]
    whose = ", on which the model was trained" if data["is_training_file"] else ""
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(data["objects"].items()))
    return [
        f"- `{result['command']}`, {result['created']}",
        f"- data: {data['survey']}, file {data['name']}{whose}, content hash `{data['content_hash']}`",
        f"- made by `{data['made_by']}`",
        *_another_machine(result, trained),
        f"- its objects: {counts}",
    ]


def _another_machine(result: dict, trained: TrainedModel) -> list[str]:
    """Why data that the same command made have two content hashes."""
    sky, data_hash = simulated_sky(result["data"]["made_by"]), result["data"]["content_hash"]
    if sky is None or sky not in _own_skies(trained):
        return []
    if data_hash in (one["data_hash"] for one in training_files(trained.provenance)):
        return []
    text = (
        "- this is the command of the training data, run again on another machine, where the last digits of"
        " floating-point numbers are rounded differently: the content hash differs, objects and split do not"
    )
    return [text]


def _row(result: dict, classes: Sequence[str], i: int) -> list[str]:
    scores = result["classes"][classes[i]]
    if not scores["support"]:
        return [classes[i], "0", UNDEFINED, UNDEFINED, *(UNDEFINED for _ in classes)]
    both = (_scored(scores[score]["value"], scores[score]["interval"]) for score in ("recall", "precision"))
    return [classes[i], f"{scores['support']:,}", *both, *(f"{n:,}" for n in result["confusion_matrix"][i])]


def _scored(value: float | None, limits: Sequence[float | None]) -> str:
    """As in a report, where JSON has null for what is undefined."""
    known = [math.nan if number is None else number for number in (value, *limits)]
    return f"{percent(known[0])} ({interval(known[1:])})" if math.isfinite(known[0]) else UNDEFINED


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines])


def _introduction(name: str, trained: TrainedModel) -> str:
    config, n = trained.config, trained.config.n_detections
    alerts = "a single alert" if n == 1 else f"the first {n} alerts"
    if config.packet.rows:
        alerts = "one packet, an alert with the detections and upper limits of 30 days that it tells, however many,"
    size, n_members = sum(leaf.size for leaf in jax.tree.leaves(trained.members)), len(trained.members)
    network = "A network" if n_members == 1 else f"{n_members} networks"
    return (
        f"Classifies an object of the ZTF alert stream from {alerts} into one of {len(config.classes)} classes:"
        f" {', '.join(config.classes)}. {network}{_kind(config)} ({config.origin}) with {size:,} parameters, reading"
        f" {reads(config)}.{_of_subclasses(trained)}"
    )


def _kind(config: Config) -> str:
    if config.packet.rows:
        return {"gru": ", recurrent", "attention": " with attention to earlier rows"}[config.temporal.kind]
    return " of the Temporal Stamp Classifier"


def _of_subclasses(trained: TrainedModel) -> str:
    subclasses = trained.config.subclasses
    return f" Within a class it tells apart: {', '.join(subclasses)}. How well was measured on no real alert." * bool(
        subclasses
    )


def _inputs(config: Config) -> list[str]:
    stamp, n = config.stamp, config.n_detections
    lines = []
    if stamp.channels:
        lines.append(
            f"- Stamps: {', '.join(stamp.channels)}; the central {stamp.crop} × {stamp.crop} pixels, in {stamp.copies}"
            f" rotated copies. A missing pixel counts as the darkest of its crop."
        )
    of_packets = config.packet.rows > 0
    if of_packets:
        lines.append(
            "- Rows: every detection and upper limit that the packet tells, with its filter, its time since the row"
            " before and since the first, by how much it is brighter than the reference image, how often it was fainter"
            " so far and how much that scattered; an answer depends on no later row. Where packets of earlier alerts"
            f" are given, too, the latest {config.packet.stamps} stamps."
        )
    if config.metadata.dynamic:
        what = "row, as far as a packet tells it" if of_packets else "alert"
        lines.append(f"- Metadata of every {what}: {', '.join(config.metadata.dynamic)}.")
    if config.metadata.static:
        of_alert = "alert" if n == 1 else "last alert"
        lines.append(f"- Metadata of the {of_alert}: {', '.join(config.metadata.static)}.")
        lines.append("- A missing value counts as the mean of the training data.")
    if set(config.metadata.static) & set(schema.COLOUR_NAMES):
        lines.append(
            "- AllWISE colours come from a catalogue given by the user (`--allwise`) or count as missing: expect lower"
            " accuracy without it. How much the colours tell of simulated objects is an input of the simulator."
        )
    if n > 1:
        lines.append(
            f"- The {n} alerts are the earliest given of the object that are at least 6 hours apart; an object with"
            " fewer gets a row without a class."
        )
    return lines


def _training_data(trained: TrainedModel) -> list[str]:
    own = trained.provenance.get("mixture", [trained.provenance])
    lines = [_teachers(trained.provenance)]
    for one in own:
        lines += ["", *_training_file(one, trained.config, len(own) > 1)]
    return [*lines, *_began_with(trained.provenance)]


def _teachers(provenance: dict) -> str:
    surveys = {str(one["training_data"].get("survey")) for one in training_files(provenance)}
    real = sorted(name for name in surveys if not name.endswith(SIMULATED))
    if not real:
        return SIMULATED_TEACHERS
    return f"Alerts of the survey {', '.join(real)}" + (", and simulated ones." if len(real) < len(surveys) else ".")


def _training_file(one: dict, config: Config, mixed: bool) -> list[str]:
    learnt = one["training_data"]
    objects = learnt["objects"]
    drawn = f"- {percent(one['weight'])} of the training examples are drawn from this file.\n" if mixed else ""
    return [
        f"{drawn}- Made by `{learnt['command']}`{_of_sky(learnt['command'])}; content hash `{one['data_hash']}`.",
        "- Objects with enough detections, of the classes of the model:",
        "",
        *table(
            ["split", *config.classes],
            [[split, *(f"{objects[split][name]:,}" for name in config.classes)] for split in objects],
        ),
    ]


def _began_with(provenance: dict) -> list[str]:
    """The model whose weights the training began with; nothing where there was none."""
    began = provenance.get("began_with")
    if began is None:
        return []
    text = (
        f"- The training began with weights of **{began['model']}** (version {began['version']}, content"
        f" `{began['content_hash']}`): {', '.join(began['parts'])}. Statistics of the metadata: {began['statistics']}."
    )
    sources = [(each["training_data"].get("command"), each["data_hash"]) for each in began["learnt_from"]]
    return ["", text, *(f"- {began['model']} learnt from `{by}`, content hash `{which}`." for by, which in sources)]


def _of_sky(command: str) -> str:
    return "" if simulated_sky(command) is None else f" ({_named_sky(command)})"


def _recipe(trained: TrainedModel) -> list[str]:
    config, provenance, trainings = trained.config, trained.provenance, trained.provenance["training"]
    return [
        f"- `{provenance['command']}`{_which(trainings)}",
        *_departures(config),
        *_ensemble(trainings),
        *(line for training in trainings for line in _training(training, trained)),
        f"- {', '.join(f'{name} {version}' for name, version in provenance['versions'].items())}.",
    ]


def _which(trainings: Sequence[dict]) -> str:
    return "" if len(trainings) == 1 else f", the command of seed {trainings[0]['seed']}"


def _ensemble(trainings: Sequence[dict]) -> list[str]:
    if len(trainings) == 1:
        return []
    numbers = ", ".join(str(training["seed"]) for training in trainings)
    text = f"- An ensemble of {len(trainings)} trainings with different seeds ({numbers})"
    return [f"{text}, whose probabilities are averaged."]


def _training(training: dict, trained: TrainedModel) -> list[str]:
    """How one training went; of several, the lines say which."""
    steps, planned = training["steps"], training["planned_steps"]
    loss, accuracy = training["validation_loss"], percent(training["validation_accuracy"])
    whose = "" if len(trained.members) == 1 else f"Seed {training['seed']}: "
    device = training.get("device", trained.provenance["device"])
    text = (
        f"- {whose}{steps:,} of {planned:,} iterations, {trained.config.training.batch_size} objects each, in"
        f" {_duration(training['seconds'])} on {device}; kept: step {training['best_step']:,},"
        f" with the lowest validation loss, {loss:.4f} nat; validation accuracy {accuracy}."
    )
    return [text, *([] if steps >= planned else [f"- **{whose}The training was stopped before its end.**"])]


def _departures(config: Config) -> list[str]:
    """Where the model is another than the named configuration."""
    if config.name not in CONFIGS:
        return [f"- **There is no named configuration {config.name} to compare it with.**"]
    named = settings.to_dict(CONFIGS[config.name])
    different = settings.differences(settings.to_dict(config), named, ("this model", "named configuration"))
    if not different:
        return [f"- The named configuration `{config.name}`, unchanged."]
    return [
        f"- **Not the named configuration `{config.name}`**, from which it differs in:",
        *(f"  - {difference}" for difference in different),
    ]


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{max(1, round(seconds / 60))} min"


def _calibration(name: str, trained: TrainedModel) -> list[str]:
    """A section on the temperature; none for a model without."""
    if trained.temperature is None:
        return []
    text = (
        f"- Temperature {trained.temperature:.3f}, fitted to {_fitted_to(trained)}: dividing the"
        " logarithms of the probabilities by it, and normalising, minimises the cross-entropy there and so calibrates"
        f" them. It is applied only on request: `jtss classify ALERTS -m {name} --calibrated`."
    )
    return [_section("Calibration", [text, *_fitted_priors(name, trained)])]


def _fitted_priors(name: str, trained: TrainedModel) -> list[str]:
    calibration = trained.provenance.get("calibration", {})
    if "priors" not in calibration:
        return []
    shares = ", ".join(f"{which} {percent(share)}" for which, share in calibration["priors"].items())
    text = (
        f"- Class priors of the labelled objects of the data set made by `{calibration['made_by']}`: {shares}. They are"
        f" applied only on request, `jtss classify ALERTS -m {name} --priors fitted`, and are those of the sky only as"
        " far as these objects are a fair sample of it."
    )
    return [text]


def _fitted_to(trained: TrainedModel) -> str:
    calibrated = trained.provenance.get("calibration")
    if calibrated is None or calibrated["content_hash"] == trained.provenance["data_hash"]:
        return "the validation split of the training data"
    return f"the validation split of another data set (made by `{calibrated['made_by']}`)"


def _unusual_and_uncertain(name: str, trained: TrainedModel) -> list[str]:
    """A section on the outlier score and on abstention; none for a model without `KnownAlerts`."""
    known = trained.known_alerts
    if known is None:
        return []
    simulated = "simulated " * trained.provenance["training_data"]["survey"].endswith(SIMULATED)
    levels = ", ".join(f"{abstention(known, share).level:.4f} for {100 * share:g} %" for share in COVERAGES)
    outlier = (
        f"The column `outlier` is the share of {known.held_out.sum():,} held-out {simulated}alerts"
        f" ({_by_class(known.held_out, trained)}), one of each object, that look less unusual to the model. They"
        " are of the validation split of the training data. How unusual an alert looks is the Mahalanobis distance of"
        " the activations of the last hidden layer from the nearest class mean, with one covariance for all classes"
        " (Lee et al. 2018, arXiv:1807.03888); of several networks the squares are averaged. Means and covariance are"
        f" of {known.fitted.sum():,} training alerts ({_by_class(known.fitted, trained)})."
    )
    coverage = (
        f"`jtss classify ALERTS -m {name} --coverage 0.9` notes from which alerts the model abstains: those whose"
        " largest probability, neither calibrated nor for other class priors, is below the level that leaves 90 % of"
        f" the same held-out {simulated}alerts answered. Of other alerts, whose classes may be as common as they are on"
        f" the sky, it answers another share. Levels by coverage: {levels}."
    )
    return [_section("Unusual and uncertain alerts", [f"- {text}" for text in (outlier, NOT_WHY, coverage)])]


def _by_class(counts: Iterable[int], trained: TrainedModel) -> str:
    return ", ".join(f"{count:,} {name}" for count, name in zip(counts, trained.config.classes, strict=True))


def _limits(trained: TrainedModel) -> list[str]:
    config, measured = trained.config, any(map(is_real, trained.results))
    read = {*config.metadata.dynamic, *config.metadata.static}
    in_versions = any((result.get("ablations") or {}).get("versions") for result in trained.results)
    others = (
        f"It knows no classes but {', '.join(config.classes)}: any other object is given one of these, often with high"
        " confidence."
    )
    limits = {
        BALANCED: config.training.class_balance == "uniform",
        BALANCED_AT_COUNTS: config.training.class_balance == "counts",
        SIMULATED_SCORES: trained.provenance["training_data"]["survey"].endswith(SIMULATED),
        NOT_MEASURED: not measured,
        NOT_FIRST: measured,
        LOOK_ALIKE: {"AGN", "VS"} <= set(config.classes),
        others: True,
        ZTF_ONLY: True,
        SEEN_BEFORE: bool(HISTORY & read) and "asteroid" in config.classes,
        BY_COUNTERS: bool(HISTORY & read) and not in_versions,
        BY_COUNTERS_ABOVE: bool(HISTORY & read) and in_versions,
        SCORED_BEFORE: "rb" in read and "bogus" in config.classes,
        BOGUS_ONCE: config.packet.rows > 0 and "bogus" in config.classes,
    }
    return [f"- {sentence}" for sentence, holds in limits.items() if holds]


def _intended_use(name: str) -> list[str]:
    command = f"jtss classify ALERTS -m {name} --out predictions.csv   # or -m PATH/{name}.h5"
    return [INTENDED_USE, "", "```", command, "```"]


def _file(name: str, trained: TrainedModel, sha256: str) -> list[str]:
    return [f"- `{name}.h5`, SHA-256 `{sha256}`, written by jtss {trained.jtss_version}."]
