"""Packets that we write: readable by plain fastavro and astropy, in ZTF's own names and types."""

import gzip
import io
import json

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.containers import read_blocks
from data_prep.packets.fits import decode_cutout
from data_prep.simulate.packets import CANDIDATE_TYPES, alert_schema, encode_file, packet
from helpers.make_packets import CANDIDATE, images

CANDID = 2481169255715015001  # does not survive a double
CHANNELS = ("Science", "Template", "Difference")


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_plain_readers_read_our_packets(codec):
    stamps = images(seed=4, shape=(63, 47))
    stamps[1][:5] = np.nan
    encoded = encode_file([packet("ZTF18abcdefg", CANDID, CANDIDATE, stamps)], codec)
    reader = fastavro.reader(io.BytesIO(encoded))
    (record,) = reader
    assert reader.codec == codec
    assert (record["objectId"], record["candid"], record["candidate"]["candid"]) == ("ZTF18abcdefg", CANDID, CANDID)
    for name, value in CANDIDATE.items():
        assert record["candidate"][name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-7)), name
    assert record["candidate"]["jd"] == CANDIDATE["jd"]
    for channel, image in zip(CHANNELS, stamps, strict=True):
        blob = record[f"cutout{channel}"]["stampData"]
        with fits.open(io.BytesIO(gzip.decompress(blob))) as file:
            file.verify("exception")
            np.testing.assert_array_equal(file[0].data, image)


def test_our_reader_reads_our_packets(tmp_path):
    records = [packet("ZTF18a", 1 + i, CANDIDATE, images(i), previous=[CANDIDATE] * i) for i in range(3)]
    records.append(packet("ZTF18b", 9, {}, [None, images(0)[0], None]))
    path = tmp_path / "some.avro"
    path.write_bytes(encode_file(records, "snappy"))
    *alerts, rejection = [outcome for block in read_blocks(path) for outcome in decode_block(block)]
    assert [alert.candid for alert in alerts] == [1, 2, 3]
    assert (rejection.reason, rejection.object_id) == (
        "bad_jd",
        "ZTF18b",
    )  # 0 where null is not allowed
    for i, alert in enumerate(alerts):
        assert isinstance(alert, Alert)
        for blob, image in zip(alert.cutouts, images(i), strict=True):
            np.testing.assert_array_equal(decode_cutout(blob), image)


def test_the_same_input_gives_the_same_bytes():
    one, same = (encode_file([packet("ZTF18a", 1, CANDIDATE, images(0))]) for _ in range(2))
    assert one == same


def test_a_field_that_ztf_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"ZTF18a 1.*magspf"):
        packet("ZTF18a", 1, {"magspf": 18.0}, images(0))


def types_of(schema, names=None) -> dict:
    """{path: set of types} of a schema, null aside."""
    names = {} if names is None else names
    if isinstance(schema, str):
        return {"": {schema}} if schema not in names else types_of(names[schema], names)
    if isinstance(schema, list):
        merged: dict = {}
        for branch in schema:
            for path, types in types_of(branch, names).items() if branch != "null" else ():
                merged.setdefault(path, set()).update(types)
        return merged
    if schema["type"] == "array":
        return types_of(schema["items"], names)
    if schema["type"] != "record":
        return types_of(schema["type"], names)
    names[schema["name"]] = schema
    return {
        f"{field['name']}.{path}".rstrip("."): types
        for field in schema["fields"]
        for path, types in types_of(field["type"], names).items()
    }


def test_the_schema_is_ztfs(ztf_dir):
    """Each real writer's schema, from 1.8 to 4.02, agrees with ours on every field that both have."""
    ours = types_of(alert_schema())
    seen: set[str] = set()
    for path in sorted((ztf_dir / "alerts").glob("*.avro"))[::7]:
        with path.open("rb") as file:
            theirs = types_of(json.loads(fastavro.reader(file).metadata["avro.schema"]))
        if theirs["schemavsn" if "schemavsn" in theirs else "objectId"] == {"string"}:
            shared = theirs.keys() & ours.keys()
            assert {path: theirs[path] for path in shared} == {path: ours[path] for path in shared}, path.name
            seen |= theirs.keys()
    assert {f"candidate.{name}" for name in CANDIDATE_TYPES} <= seen
    assert {path for path in ours if path.startswith("prv_candidates")} <= seen
