"""Bodies of requests to alerts, within bounds."""

import bz2
import gzip
import io
import lzma
import math
import tarfile
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.packets.avro import MAX_BLOCK_BYTES
from data_prep.simulate.packets import encode_file
from helpers.made_service import CANDID, PATIENT, packet
from helpers.make_packets import alert, save_tar
from jtss.serving.http import reading
from jtss.serving.http.problems import Problem


def read(body, limits=PATIENT):
    alerts, rejected = reading.alerts_of(body, limits)
    return [one.candid for one in alerts], [one.reason for one in rejected]


def problem(body, limits=PATIENT):
    with pytest.raises(Problem) as caught:
        read(body, limits)
    return caught.value.status, caught.value.reason


def test_files_and_archives_are_read(tmp_path):
    two = encode_file([alert("ZTF18a", 1), alert("ZTF18b", 2)])
    assert read(packet()) == ([CANDID], [])
    assert read(two) == ([1, 2], [])
    assert read(packet() + two) == ([CANDID, 1, 2], [])
    assert read(gzip.compress(packet())) == ([CANDID], [])
    archive = {"night/a.avro": packet(), "night/b.avro": b"nothing", "night/README": b"text"}
    for name in ("night.tar", "night.tar.gz"):
        assert read(save_tar(tmp_path / name, archive).read_bytes()) == ([CANDID], ["not_avro"])


def test_names_within_an_archive_are_no_paths(tmp_path):
    archive = save_tar(tmp_path / "a.tar", {"../../evil.avro": packet(), "/etc/evil.avro": b"x"}).read_bytes()
    assert read(archive) == ([CANDID], ["not_avro"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "empty_file"), (b"text", None), (packet()[:-20], None), (bytes(100), None), (b"\0\0\0\0\1abc", None)],
)
def test_what_is_no_packet_has_a_reason(body, reason):
    if reason:
        assert problem(body) == (422, reason)
    else:
        alerts, rejected = read(body)
        assert not alerts
        assert rejected


def test_an_archive_without_packets_says_so(tmp_path):
    assert problem(save_tar(tmp_path / "a.tar", {"README": b"text"}).read_bytes()) == (422, "other_file")


def test_too_many_packets_are_refused():
    body = encode_file([alert("ZTF18a", candid) for candid in (1, 2, 3)])
    assert read(body, PATIENT._replace(packets=3))[0] == [1, 2, 3]
    assert problem(body, PATIENT._replace(packets=2)) == (413, "too_many_packets")


def test_packets_that_are_large_when_unpacked_are_refused():
    heavy = alert("ZTF18a", 1)
    heavy["cutoutScience"]["stampData"] = bytes(5_000_000)
    body = encode_file([heavy], codec="deflate")
    assert len(body) < 100_000
    assert problem(body, PATIENT._replace(unpacked_bytes=4_000_000)) == (413, "too_large")
    assert read(body)[0] == [1]


def test_a_block_that_unpacks_without_end_is_refused():
    heavy = alert("ZTF18a", 1)
    heavy["cutoutScience"]["stampData"] = bytes(MAX_BLOCK_BYTES + 1)
    assert read(encode_file([heavy], codec="deflate")) == ([], ["block_too_large"])


@pytest.mark.parametrize("press", [gzip.compress, lzma.compress])
def test_a_bomb_ends_with_the_time(press, monkeypatch):
    """A tar archive of a member that has no end, of which no more is unpacked than the time allows."""
    head = tarfile.TarInfo("a.avro")
    head.size = (8 << 30) - 1
    archive = press(head.tobuf() + bytes(32 << 20)) + press(bytes(32 << 20)) * 3
    assert len(archive) < 300_000
    asked = iter([0.0, *[1.0] * 2, *[999.0] * 99])
    monkeypatch.setattr(reading, "time", SimpleNamespace(monotonic=lambda: next(asked)))
    assert problem(archive) == (413, "too_long")
    assert next(asked) == 999.0


def test_what_no_time_is_kept_of_is_not_unpacked():
    assert read(bz2.compress(packet())) == ([], ["other_archive"])


def test_random_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    good = packet()
    for _ in range(200):
        body = bytearray(good[: rng.integers(1, len(good))])
        for place in rng.integers(0, len(body), 3):
            body[place] = rng.integers(256)
        with suppress(Problem):
            alerts, rejected = read(bytes(body))
            assert alerts or rejected


def test_the_time_is_looked_at_whenever_more_is_asked_for():
    timed = reading._Timed(b"abc", math.inf)
    assert timed.read(2) == b"ab"
    assert isinstance(timed, io.BytesIO)
    with pytest.raises(Problem):
        reading._Timed(b"abc", -math.inf).read(1)
