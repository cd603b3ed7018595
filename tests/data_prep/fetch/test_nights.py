"""Nights: archives that come in parts, are whole or absent, and give the alerts of listed objects."""

import gzip
import io
import json

import pytest

from data_prep.client import Client
from data_prep.fetch import nights as nightly
from data_prep.fetch.account import OTHERS, UNREADABLE, Account
from data_prep.fetch.folder import opened
from data_prep.fetch.nights import BAD, Nights, is_night, packets_of
from data_prep.lost import ABSENT, DAMAGED, FAILED, GOT, INCOMPLETE
from helpers.fake_services import NIGHTS, World, night_file, serving
from helpers.make_packets import night, save_tar

NIGHT = NIGHTS[0]  # of ZTF18a 10, 13, ZTF18b 20, ZTF18c 30
OBJECTS = {"ZTF18a", "ZTF18b"}


@pytest.fixture(scope="module")
def records():
    return night()


@pytest.fixture
def services(records):
    with serving(records, World()) as made:
        yield made


@pytest.fixture
def fetch(services, tmp_path):
    """Fetch a night into the folder; returns the account."""

    def call(date=NIGHT, object_ids=()):
        account = Account()
        with Client(1000.0, **services.world.settings()) as client, opened(tmp_path) as folder:
            Nights(services.urls["nights"], client, folder, account).fetch(date, {*object_ids})
        return account

    return call


def path_of(tmp_path, date=NIGHT):
    return tmp_path / "nights" / night_file(date)


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "nights").iterdir())


def test_a_night_comes_whole(fetch, services, tmp_path):
    assert fetch().as_dict() == {"nights": {"asked": 1, GOT: {"": 1}}}
    assert path_of(tmp_path).read_bytes() == services.night(NIGHT)
    assert services.asked == [f"night {NIGHT}", "sums"]
    assert left(tmp_path) == [night_file(NIGHT)]
    line = json.loads((tmp_path / "fetched.jsonl").read_text())
    assert line["url"] == f"{services.address}/alerts/public/{night_file(NIGHT)}"
    assert line["md5"] == line["told"]["etag"].strip('"')


def test_what_is_here_is_not_asked_for_again_unless_it_has_changed(fetch, services, tmp_path):
    fetch()
    fetch()
    assert len(services.asked) == 2
    path_of(tmp_path).write_bytes(services.night(NIGHT)[:-1])
    assert fetch().total("nights", GOT) == 1
    assert path_of(tmp_path).read_bytes() == services.night(NIGHT)


def test_the_rest_of_a_night_is_asked_for_by_range(fetch, services, tmp_path):
    services.plant(f"night {NIGHT}", "half")
    assert fetch().total("nights", GOT) == 1
    whole = services.night(NIGHT)
    assert services.ranges == [None, f"bytes={len(whole) // 2}-"]
    assert path_of(tmp_path).read_bytes() == whole


def test_it_goes_on_after_the_end_of_the_process(fetch, services, tmp_path):
    services.plant(f"night {NIGHT}", "half")
    services.plant(f"night {NIGHT}", *["broken"] * 4)
    assert fetch().as_dict()["nights"][FAILED] == {"status_500": 1}
    assert not path_of(tmp_path).exists()
    services.ranges.clear()
    fetch()
    whole = services.night(NIGHT)
    assert services.ranges == [f"bytes={len(whole) // 2}-"]
    assert path_of(tmp_path).read_bytes() == whole
    assert left(tmp_path) == [night_file(NIGHT)]


def test_one_that_had_come_to_its_end_is_only_checked(fetch, services, tmp_path):
    services.plant(f"night {NIGHT}", "half", *["broken"] * 4)
    fetch()
    part = path_of(tmp_path).with_name(f".{night_file(NIGHT)}.part")
    part.write_bytes(services.night(NIGHT))
    fetch()
    assert services.ranges[-1] == f"bytes={len(services.night(NIGHT))}-"
    assert path_of(tmp_path).read_bytes() == services.night(NIGHT)


@pytest.mark.parametrize("longer", [False, True])
def test_parts_of_two_versions_are_not_joined(fetch, services, tmp_path, longer):
    services.plant(f"night {NIGHT}", "half", *["broken"] * 4)
    fetch()
    part = path_of(tmp_path).with_name(f".{night_file(NIGHT)}.part")
    if longer:  # than the new one is
        part.write_bytes(bytes(2 * len(services.night(NIGHT))))
    else:
        services._nights[NIGHT] = gzip.compress(gzip.decompress(services.night(NIGHT)), 2)
    assert fetch().total("nights", GOT) == 1
    assert path_of(tmp_path).read_bytes() == services.night(NIGHT)


def test_a_part_of_which_nobody_knows_the_version_is_dropped(fetch, services, tmp_path):
    path_of(tmp_path).parent.mkdir(parents=True)
    (tmp_path / "fetched.jsonl").touch()
    path_of(tmp_path).with_name(f".{night_file(NIGHT)}.part").write_bytes(b"something")
    fetch()
    assert services.ranges == [None]
    assert path_of(tmp_path).read_bytes() == services.night(NIGHT)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("cut", "bad_archive"), ("bent", "bad_archive"), ("lying_page", "bad_archive"), ("page", "wrong_type")],
)
def test_what_is_no_archive_is_asked_for_once_more_and_gets_no_name(fetch, services, tmp_path, fault, reason):
    services.plant(f"night {NIGHT}", fault)
    assert fetch().total("nights", GOT) == 1
    other = NIGHTS[1]
    services.plant_for_ever(f"night {other}", fault)
    assert fetch(other).as_dict() == {"nights": {"asked": 1, DAMAGED: {reason: 1}}}
    assert not path_of(tmp_path, other).exists()


def test_the_published_sum_is_heeded_where_there_is_one(fetch, services):
    services.plant("sums", "missing")
    account = fetch()
    assert account.notes == {"nights without a published sum": 1}
    other = NIGHTS[1]
    services.published[other] = "0" * 32
    assert fetch(other).as_dict()["nights"] == {"asked": 1, DAMAGED: {"other_sum": 1}}


def test_a_night_that_there_is_not_may_come_later(fetch, services):
    for _ in range(2):  # a wrong address has none at all
        account = fetch("20240229")
        assert account.as_dict() == {"nights": {"asked": 1, FAILED: {"no_night_known": 1}}}
        assert not account.is_settled
    fetch()
    services.asked.clear()
    for _ in range(2):
        account = fetch("20240229")
        assert account.as_dict() == {"nights": {"asked": 1, ABSENT: {"unknown_night": 1}}}
        assert account.is_settled
    assert services.asked == ["night 20240229"] * 2


def test_alerts_of_listed_objects_are_taken_byte_for_byte(fetch, services, tmp_path):
    account = fetch(object_ids=OBJECTS)
    assert account.as_dict()["alerts"] == {"asked": 4, GOT: {"": 3}, OTHERS: {"": 1}}
    for name, candid in (("ZTF18a", 10), ("ZTF18a", 13), ("ZTF18b", 20)):
        assert (tmp_path / "alerts" / name / f"{candid}.avro").read_bytes() == services.avro[name, candid]
    assert not (tmp_path / "alerts" / "ZTF18c").exists()
    line = json.loads((tmp_path / "fetched.jsonl").read_text().splitlines()[-1])
    assert line["archive"] == f"nights/{night_file(NIGHT)}"
    assert line["member"] == "20.avro"
    assert fetch(object_ids=OBJECTS | {"ZTF18c"}).notes == {"alerts that were here before": 3}
    assert (tmp_path / "alerts" / "ZTF18c").is_dir()
    assert len(services.asked) == 2


def test_members_that_cannot_be_read_are_named(fetch, services, tmp_path):
    files = {"1.avro": b"noise", "2.avro": services.avro["ZTF18a", 11][:-20], "3.avro": services.avro["ZTF18a", 12]}
    services._nights[NIGHT] = save_tar(tmp_path / "x.tar.gz", files).read_bytes()
    (tmp_path / "x.tar.gz").unlink()
    account = fetch(object_ids=OBJECTS)
    assert account.as_dict() == {
        "nights": {"asked": 1, INCOMPLETE: {"": 1}},
        "alerts": {"asked": 3, GOT: {"": 1}, UNREADABLE: {"bad_block": 1, "not_avro": 1}},
    }
    assert account.is_settled
    named = [json.loads(line) for line in (tmp_path / "fetched.jsonl").read_text().splitlines()]
    assert [(line["member"], line["unreadable"]) for line in named if "unreadable" in line] == [
        ("1.avro", "not_avro"),
        ("2.avro", "bad_block"),
    ]


def test_an_archive_is_read_to_its_checksum(services):
    whole, seen = services.night(NIGHT), []
    assert [name for name, _ in packets_of(io.BytesIO(whole), seen.append)] == [f"{n}.avro" for n in (10, 13, 20, 30)]
    assert b"".join(seen) == whole
    for damaged in (whole[:-1], whole[:-9], whole[:-8] + bytes(8), whole[:100], b""):
        with pytest.raises(BAD):
            list(packets_of(io.BytesIO(damaged)))


def test_a_member_of_any_size_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(nightly, "MOST_PACKET_BYTES", 1000)
    archive = save_tar(tmp_path / "x.tar.gz", {"a.avro": bytes(1001)})
    with archive.open("rb") as file, pytest.raises(BAD, match="more than 1000 bytes"):
        list(packets_of(file))


@pytest.mark.parametrize(
    ("text", "is_date"),
    [("20240131", True), ("20240230", False), ("2024-01-31", False), ("202401", False), ("", False)],
)
def test_what_is_a_night(text, is_date):
    assert is_night(text) is is_date
