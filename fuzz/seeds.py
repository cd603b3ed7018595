"""Small good files of every kind that we read: where the fuzzing starts. All are made here; none is kept."""

import bz2
import io
import json
import lzma
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import fastavro
import h5py
import jax
import numpy as np
import pyarrow as pa
from astropy.table import Table
from pyarrow import csv, parquet

from data_prep.packets.avro import CUTOUT_FIELDS, HISTORY_FIELD
from data_prep.packets.metadata import CANDIDATE_FIELDS, HISTORY_FIELDS
from data_prep.simulate.packets import alert_schema, encode_file
from jtss import dataset, schema
from jtss.config import named, settings
from jtss.network import inputs, network
from jtss.pretrained.file import TRAINING, TrainedModel, to_bytes

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # for the makers that the tests have
from helpers import made_btsbot
from helpers.made_sequences import sequences, with_histories
from helpers.make_packets import alert, detection, gzip, limit, small

CODECS = ("null", "deflate", "snappy")
LATIN = "latin-1"  # a character for each byte: how JSON carries cutouts here


def whole(save: Callable[[Path], object], suffix: str) -> bytes:
    """The bytes of a file that `save` writes by its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"seed{suffix}")
        save(path)
        return path.read_bytes()


def record() -> dict:
    """An alert whose stamps compress to almost nothing, so that mutations do not get lost among pixels; with a past."""
    image = np.zeros((63, 63), np.float32)
    image[31, 31] = 1
    return alert(stamps=[image] * 3, history=[detection(3, 7), limit(2, fid=2)])


def compact_schema() -> dict:
    """The schema of an alert with the fields that we read, and no others."""
    full = alert_schema()
    read = ("objectId", "candid", "candidate", HISTORY_FIELD, *CUTOUT_FIELDS)
    types = {field["name"]: field["type"] for field in full["fields"] if field["name"] in read}
    past = types[HISTORY_FIELD][0]["items"]
    for row, names in ((types["candidate"], CANDIDATE_FIELDS), (past, (*HISTORY_FIELDS, "candid"))):
        row["fields"] = [field for field in row["fields"] if field["name"] in names]
    return full | {"fields": [{"name": name, "type": kind} for name, kind in types.items()]}


def schemas() -> list[bytes]:
    return [json.dumps(each).encode() for each in (compact_schema(), alert_schema())]


def records() -> list[bytes]:
    """Bare records of `compact_schema`."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(compact_schema()), record())
    return [buffer.getvalue()]


def avro() -> list[bytes]:
    parsed, files = fastavro.parse_schema(compact_schema()), []
    for codec in CODECS:
        buffer = io.BytesIO()
        fastavro.writer(buffer, parsed, [record()], codec=codec)
        files.append(buffer.getvalue())
    return [*files, files[0] + files[1], encode_file([record()])]


def json_records() -> list[bytes]:
    return [json.dumps(record(), default=lambda value: value.decode(LATIN)).encode()]


def fits_images() -> list[bytes]:
    """Cutouts before gzip."""
    return [zlib.decompress(record()["cutoutScience"]["stampData"], 31)]


def cutouts() -> list[bytes]:
    return [record()["cutoutScience"]["stampData"]]


def tars() -> list[bytes]:
    files = {"a.avro": avro()[0], f"{'long/' * 40}b.avro": avro()[1], "README": b"night"}
    return [_tar(files, kind) for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]


def _tar(files: dict[str, bytes], kind: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


PACKERS = {"gz": gzip, "bz2": bz2.compress, "xz": lzma.compress}


def packed(make: Callable[[], list[bytes]], kind: str) -> Callable[[], list[bytes]]:
    """The seeds of another kind, compressed."""
    return lambda: [PACKERS[kind](each) for each in make()]


def labels() -> list[bytes]:
    return [b"objectId,label\nZTF18a,SN\nZTF18b,AGN\n", b'\xef\xbb\xbflabel;x,objectId,label\r\n1,"ZTF18a","VS"\r\n']


def triplets() -> list[bytes]:
    """A triplet of stamps as BTSbot has them, whose header is what mutations find."""
    image = np.zeros((1, 63, 63, 3), np.float32)
    image[0, 31, 31] = 1
    return [whole(lambda path: np.save(path, image), ".npy")]


def candidates() -> list[bytes]:
    """Tables of BTSbot with and without what is said of objects."""
    said = {"ZTF18aaaaaaa": {"label": 1, "source_set": "dims", "N": 7, "split": "val", "is_SN": True}}
    tables = [made_btsbot.rows([small(12), small(13)], of_object) for of_object in (None, said)]
    return [whole(lambda path, rows=rows: made_btsbot.write_table(path, rows), ".csv") for rows in tables]


SOURCES = {"ra": [10.0, 20.5], "dec": [1.0, -2.0]} | {f"w{i}mpro": [15.0 - i, float("nan")] for i in range(1, 5)}


def catalogue(kind: str) -> Callable[[], list[bytes]]:
    """Seeds of a catalogue of one kind, by its extension."""
    writers = {
        ".csv": lambda path: csv.write_csv(pa.table(SOURCES), path),
        ".parquet": lambda path: parquet.write_table(pa.table(SOURCES), path),
        ".fits": lambda path: Table(SOURCES).write(path),
        ".ecsv": lambda path: Table(SOURCES).write(path),
        ".tbl": lambda path: Table(SOURCES).write(path, format="ascii.ipac"),
        ".vot": lambda path: Table(SOURCES).write(path, format="votable"),
    }
    return lambda: [whole(writers[kind], kind)]


def data_files() -> list[bytes]:
    """A data file of two objects with histories, its columns in small compressed pieces."""
    made = with_histories(sequences([1, 2], label=[0, -1], split=[0, -1]))
    made.stamps[:] = 0

    def save(path: Path) -> None:
        with dataset.Writer(path, survey="made", command="a seed") as writer:
            writer.append(made)
            writer.finish(split=made.split, ledger={})

    return [_smaller(whole(save, ".h5"))]


def _smaller(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as file, h5py.File(buffer, "w") as copy:
        copy.attrs.update(dict(file.attrs) | {"created": "whenever"})  # the same bytes each time
        for name, column in file.items():
            packed = {"compression": "gzip"} if name == "stamps" else {}
            copy.create_dataset(name, data=column[:], dtype=column.dtype, **packed)
    return buffer.getvalue()


def models() -> list[bytes]:
    small = "encoder.filters=2,2,2,2,2 encoder.units=2 head.units=2 head.dropout=0 stamp.copies=1 stamp.crop=21"
    config = settings.override(named.get("demo"), small.split())
    objects = sequences([config.n_detections] * 4, label=[0, 1, 2, 0])
    values = inputs.examples(objects, config)
    leaves = jax.eval_shape(lambda: network.init(config, jax.random.key(0)))
    counts = {"train": dict.fromkeys(config.classes, 1)}
    provenance = {
        **dict.fromkeys(("command", "data", "data_hash", "started", "device"), "made"),
        "versions": {},
        "training_data": {"survey": "made", "command": "made", "objects": counts},
        "training": [dict.fromkeys(TRAINING, 1)],
    }
    members = (jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), leaves),)
    statistics = inputs.fit(values.dynamic, values.static, config.metadata)
    return [to_bytes(TrainedModel(config, statistics, members, provenance, results=[], temperature=1.5))]


def predictions() -> list[bytes]:
    return [f"candid,{','.join(schema.CLASS_NAMES)}\n12,0.1,0.2,0.3,0.4,0\n1,1e-9,0,0,0,1\n".encode()]


def votes() -> list[bytes]:
    """Predictions in the long form."""
    rows = ("ZTF18a,lc_classifier,SNIa,0.75", "ZTF18a,lc_classifier,QSO,0.25", "ZTF18b,stamp,SN,1")
    return [
        "\n".join(("oid,classifier_name,class_name,probability", *rows)).encode(),
        b"oid,class_name,probability\nZTF18a,VS,0.5\n",
    ]
