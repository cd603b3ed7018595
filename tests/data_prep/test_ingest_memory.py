"""The peak of memory, in processes of their own."""

import io
import json
import subprocess
import sys

import fastavro
import numpy as np
import pytest

from data_prep.packets.avro import MAGIC
from data_prep.simulate.packets import PARSED_SCHEMA, SYNC_MARKER, alert_schema, encode_file
from helpers.make_packets import alert
from helpers.places import ROOT

PEAK = """
import resource, sys, tempfile
from data_prep.ingest import ingest
with tempfile.TemporaryDirectory() as work, ingest(sys.argv[1:], workdir=work, workers=1, progress=False) as ingested:
    n = sum(len(batch.jd) for batch in ingested.batches())
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tmp_path):
    """Four times the alerts: 1,500 more stamps would be 36 MB of float16 alone; 8 MB is the noise of the allocator."""
    record = alert()
    peaks = []
    for n_alerts in (500, 2000):
        files = []
        for first in range(0, n_alerts, 250):
            records = [record | {"objectId": f"ZTF{i:07d}", "candid": i + 1} for i in range(first, first + 250)]
            files.append(tmp_path / f"{n_alerts}_{first}.avro")
            files[-1].write_bytes(encode_file(records))
        command = [sys.executable, "-c", PEAK, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        n_kept, peak_kb = map(int, done.stdout.split())
        assert n_kept == n_alerts
        peaks.append(peak_kb)
    assert peaks[1] - peaks[0] < 8_000, peaks


@pytest.mark.slow
def test_memory_does_not_grow_with_the_block(tmp_path):
    """A block may hold 1,000 alerts in few bytes: 24 kB are kept of each, but not its 48 kB of images."""
    record, peaks = alert(stamps=[np.eye(63, dtype=np.float32)] * 3), []
    for n_alerts in (100, 1000):
        path = tmp_path / f"{n_alerts}.avro"
        with path.open("wb") as file:
            records = ({**record, "objectId": f"ZTF{i:07d}", "candid": i + 1} for i in range(n_alerts))
            fastavro.writer(file, PARSED_SCHEMA, records, codec="deflate", sync_interval=1 << 30)
        command = [sys.executable, "-c", PEAK, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        n_kept, peak_kb = map(int, done.stdout.split())
        assert n_kept == n_alerts
        peaks.append(peak_kb)
    assert peaks[1] - peaks[0] < 30_000, peaks  # kB; 22 MB in rows


def endless_history(n_rows: int) -> bytes:
    """An Avro file of one alert with so many rows of two bytes."""
    schema = alert_schema()
    field = next(field for field in schema["fields"] if field["name"] == "prv_candidates")
    fields = [{"name": name, "type": "int"} for name in ("jd", "magpsf")]
    field["type"] = {"type": "array", "items": {"type": "record", "name": "row", "fields": fields}}
    del field["default"]
    few, buffer = [{"jd": 1, "magpsf": 1}] * 7, io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), alert() | {"prv_candidates": few})
    before, after = buffer.getvalue().split(varint(7) + varint(1) * 14 + varint(0))
    record = before + varint(n_rows) + varint(1) * 2 * n_rows + varint(0) + after
    metadata = varint(1) + varint(11) + b"avro.schema" + sized(json.dumps(schema).encode()) + varint(0)
    return MAGIC + metadata + SYNC_MARKER + varint(1) + sized(record) + SYNC_MARKER


def varint(number: int) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, "long", number)
    return buffer.getvalue()


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


@pytest.mark.slow
def test_memory_does_not_grow_with_a_history(tmp_path):
    """As dicts, four million rows would be a gigabyte; the block that they are in may be held a few times."""
    peaks = []
    for n_rows in (1, 4_000_000):
        path = tmp_path / f"{n_rows}.avro"
        path.write_bytes(endless_history(n_rows))
        command = [sys.executable, "-c", PEAK, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        n_kept, peak_kb = map(int, done.stdout.split())
        assert n_kept == 1
        peaks.append(peak_kb)
    assert peaks[1] - peaks[0] < 250_000, peaks  # kB; 120 MB are the rows in the first megabyte
