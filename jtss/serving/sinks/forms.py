"""Forms of answers: that of jtss, and those that brokers of alerts use; each from a line of JSON to bytes.

ALeRCE's, Lasair's and Kowalski's were taken from their public source, see `docs/serving.md`.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import fastavro

from jtss.errors import InputError
from jtss.inference.table import Classifier
from jtss.invocation import option

JSON, ALERCE, LASAIR, KOWALSKI, PARQUET = "json", "alerce", "lasair", "kowalski", "parquet"
OF_MESSAGES, OF_FILES = (JSON, ALERCE, LASAIR, KOWALSKI), (JSON, LASAIR, KOWALSKI, PARQUET)
ALERCE_CLASSES = ("SN", "AGN", "VS", "asteroid", "bogus", "satellite")  # of its stamp classifier of 2025, in its order
LASAIR_VERSION = 16  # most characters; its client refuses or cuts a longer one
ANNOTATOR = re.compile(r"[\w.-]+")
SYNC = bytes(16)  # of Avro files: one answer gives the same bytes each time

Message = Callable[[str], bytes]
File = Callable[[Sequence[str]], bytes]


class Form(NamedTuple):
    """How answers are written, each given as the line of JSON of an `Outcome`.

    Attributes:
        name: what the user calls it.
        message: an answer as a message of a topic; None: it is no form of messages.
        file: answers as a file; None: it is no form of files.
        suffix: of such files.
    """

    name: str
    message: Message | None
    file: File | None
    suffix: str = ".jsonl"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


JSON_LINES = Form(JSON, str.encode, _lines)


def check(word: str, among: Sequence[str]) -> None:
    """Make sure that a user names one of some kinds of forms, and for LASAIR an annotator, as lasair:NAME.

    Raises:
        InputError: not so.
    """
    kind, colon, annotator = word.partition(":")
    is_named = ANNOTATOR.fullmatch(annotator) if kind == LASAIR else not colon
    if kind not in among or not is_named:
        names = (f"{name}:ANNOTATOR" if name == LASAIR else name for name in among)
        raise InputError(f"{option('form', word)}: expected here one of {', '.join(names)}")


def form_of(word: str, classifier: Classifier) -> Form:
    """The form of this name, see `check`, for the answers of a classifier.

    Raises:
        InputError: the classifier does not fit into it.
    """
    kind, _, annotator = word.partition(":")
    if kind == ALERCE:
        return Form(word, _alerce_message(word, classifier), None)
    if kind == LASAIR:
        short = short_version(classifier.version)
        return _json_form(word, lambda answer: lasair(answer, annotator, short))
    if kind == KOWALSKI:
        return _json_form(word, kowalski)
    if kind == PARQUET:
        return Form(word, None, lambda lines: parquet(map(json.loads, lines), classifier.classes), ".parquet")
    return JSON_LINES


def _json_form(name: str, change: Callable[[Mapping], dict]) -> Form:
    def message(line: str) -> bytes:
        return json.dumps(change(json.loads(line))).encode()

    return Form(name, message, lambda lines: b"".join(message(line) + b"\n" for line in lines))


def _alerce_message(word: str, classifier: Classifier) -> Message:
    for name in classifier.classes:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise InputError(f"{option('form', word)}: class {name!r}; expected names that Avro takes: letters, 0-9, _")
    schema = alerce_schema(classifier.classes)
    return lambda line: alerce(json.loads(line), schema)


def alerce_schema(classes: Sequence[str]) -> dict:
    """Avro schema of the answers of ALeRCE's stamp classifier of 2025, then of who answered, which theirs lacks.

    Its classes are all there; a class of ours that it does not have comes after them.
    """
    names = dict.fromkeys((*ALERCE_CLASSES, *classes))
    probabilities = {
        "name": "probabilities",
        "type": "record",
        "fields": [{"name": name, "type": "float"} for name in names],
    }
    fields = {"objectId": "string", "candid": "long", "probabilities": probabilities}
    fields |= {"classifier_name": "string", "classifier_version": "string"}
    return fastavro.parse_schema(
        {
            "doc": "Early Classification",
            "name": "stamp_probabilities",
            "type": "record",
            "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
        }
    )


def alerce(answer: Mapping, schema: dict) -> bytes:
    """An answer as an Avro file of one record, by `alerce_schema`. A class that the model does not know has 0."""
    chances = dict.fromkeys(ALERCE_CLASSES, 0.0) | answer["probabilities"]
    record = {key: answer[key] for key in ("objectId", "candid")} | {"probabilities": chances}
    record |= {"classifier_name": answer["model"], "classifier_version": without_dots(answer["classifier_version"])}
    file = io.BytesIO()
    fastavro.writer(file, schema, [record], sync_marker=SYNC)
    return file.getvalue()


def without_dots(version: str) -> str:
    """A version with an underscore for each dot, for who drops dots: 0_1_0+20261130T130853_s5000_s3500.

    Versions of ours have no underscore, so that the dots can be put back.
    """
    return version.replace(".", "_")


def short_version(version: str) -> str:
    """When the training began, of a version: 20261130T130853.

    Raises:
        InputError: it does not say.
    """
    found = re.search(r"\+(\d{8}T\d{6})", version)
    if not found:
        raise InputError(
            f"version {version}: expected one that says when its training began, as 0.1.0+20261130T130853.s5000"
        )
    return found[1]


def lasair(answer: Mapping, annotator: str, version: str) -> dict:
    """An answer as an annotation, as the functions `annotate` and `annotate_list` of Lasair's client take it.

    Args:
        annotator: what Lasair calls the topic of an annotation.
        version: of at most LASAIR_VERSION characters.
    """
    further = ("candid", "jd", "model", "classifier_version", "probabilities", "subclass", "subclass_probability")
    return {
        "topic": annotator,
        "objectId": answer["objectId"],
        "classification": answer["class"],
        "version": version,
        "explanation": explanation(answer),
        "classdict": {key: answer[key] for key in (*further, "outlier", "missing", "note")},
        "url": "",
    }


def explanation(answer: Mapping) -> str:
    """An answer in words."""
    chance = answer["probabilities"][answer["class"]]
    read = [
        f"{answer[key]} {word}{'' if answer[key] == 1 else 's'}"
        for key, word in (("n_detections", "detection"), ("n_limits", "upper limit"), ("n_stamps", "stamp triplet"))
    ]
    words = [f"{answer['class']} with {100 * chance:.1f} %, from {', '.join(read)}"]
    if answer["subclass"] is not None:
        words.append(f"most probable subclass {answer['subclass']} with {100 * answer['subclass_probability']:.1f} %")
    if answer["outlier"] is not None:
        words.append(f"more unusual than {100 * answer['outlier']:.0f} % of known alerts")
    if answer["missing"]:
        words.append(f"without {', '.join(answer['missing'])}")
    return "; ".join(words)


def kowalski(answer: Mapping) -> dict:
    """An answer as Kowalski keeps scores with an alert: each beside the version of what gave it."""
    scores = {}
    for name, probability in answer["probabilities"].items():
        key = f"{answer['model']}_{name}"
        scores |= {key: probability, f"{key}_version": answer["classifier_version"]}
    return {"objectId": answer["objectId"], "candid": answer["candid"], "classifications": scores}


def parquet(answers: Iterable[Mapping], classes: Sequence[str]) -> bytes:
    """Answers as a Parquet file: a row for each, with the fields of the answer; of the probabilities P_CLASS."""
    import pyarrow as pa  # here, because it takes long to load, and other forms do without
    import pyarrow.parquet as pq

    text, chance, count = pa.string(), pa.float32(), pa.int32()
    kinds = {
        "objectId": text,
        "candid": pa.int64(),
        "jd": pa.float64(),
        **dict.fromkeys(("model", "classifier_version", "class"), text),
        **{f"P_{name}": chance for name in classes},
        "subclass": text,
        "subclass_probability": chance,
        **dict.fromkeys(("n_detections", "n_limits", "n_stamps"), count),
        "missing": pa.list_(text),
        "outlier": chance,
        "note": text,
        "answered": pa.timestamp("ms", "UTC"),
        "topic": text,
        "partition": count,
        "offset": pa.int64(),
    }
    rows = [
        dict(answer)
        | {f"P_{name}": answer["probabilities"][name] for name in classes}
        | {"answered": datetime.fromisoformat(answer["answered"])}
        for answer in answers
    ]
    file = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(kinds)), file)
    return file.getvalue().to_pybytes()
