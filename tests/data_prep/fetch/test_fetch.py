"""Objects to packets: with every fault the account adds up, and what was not lost builds into the same data set."""

import hashlib
import json
from collections import Counter

import h5py
import numpy as np
import pytest
from astropy.table import Table

from data_prep import client as clients
from data_prep import labels
from data_prep.build import build
from data_prep.client import ATTEMPTS, Client
from data_prep.fetch.fetch import SERVICES, URLS, fetch
from data_prep.lost import ABSENT, DAMAGED, FAILED, GOT, INCOMPLETE, NOT_ASKED
from data_prep.simulate.archive import simulate_packets
from helpers.fake_services import NIGHTS, World, records_below, serving
from helpers.make_packets import CANDIDATE, NO_STAMPS, alert, detection
from jtss.commands import data_fetch
from jtss.errors import InputError
from jtss.schema import ALERT

# each is followed by the answer
PASSING = ("broken", "half", "page", "busy", "redirect", "cut", "slow", "other_columns", "lying_page", "other_kind")
N_OBJECTS, N_FEW = 40, 6


class Sky:
    """Simulated packets, their labels, and what they are built into."""

    def __init__(self, folder, n_objects, seed):
        simulate_packets(folder / "sky", n_objects, seed, workers=1, progress=False)
        self.labels, self.folder = folder / "sky" / "labels.csv", folder
        self.records = records_below(folder / "sky" / "alerts")
        self.names = sorted({record["objectId"] for record in self.records})
        self.built = built(folder / "sky" / "alerts", self.labels, folder / "whole.h5")


def built(alerts, labels, out):
    """The columns of a data set, and its hash."""
    made = build([alerts], out, command="test", labels_path=labels, workers=1)
    with h5py.File(out) as file:
        return {name: file[name][:] for name in file} | {"hash": made.content_hash}


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return Sky(tmp_path_factory.mktemp("sky"), N_FEW, seed=3)


@pytest.fixture
def services(sky):
    with serving(sky.records, World()) as made:
        yield made


def run(services, out, labels, service="alerce", **more):
    with Client(1000.0, **services.world.settings()) as client:
        return fetch(out, service, client, labels_path=labels, urls=services.urls, **more)


def journal(out):
    return [json.loads(line) for line in (out / "fetched.jsonl").read_text().splitlines()]


def latest(out):
    """The last line on each thing, by object and candid."""
    lines = [line for line in journal(out) if "outcome" in line]
    return {(line["objectId"], line.get("candid", 0)): line for line in lines}


def check_sums(fetched, out):
    """The account against the journal and the disk, which were written one by one."""
    account, lines = fetched.account.as_dict(), latest(out)
    of_alerts = Counter(line["outcome"] for (_, candid), line in lines.items() if candid)
    said = {outcome: sum(reasons.values()) for outcome, reasons in account["alerts"].items() if outcome != "asked"}
    assert said == of_alerts
    assert account["alerts"]["asked"] == sum(of_alerts.values())
    files = {path.relative_to(out).as_posix() for path in (out / "alerts").rglob("*") if path.is_file()}
    assert files == {line["file"] for (_, candid), line in lines.items() if candid and line["outcome"] == GOT}
    reasons = Counter((line["outcome"], line.get("reason", "")) for line in lines.values() if line["outcome"] != GOT)
    told = Counter()
    for what in ("objects", "alerts"):
        for outcome, counts in account[what].items():
            told.update({(outcome, reason): n for reason, n in counts.items() if reason} if outcome != "asked" else {})
    of_none = {(ABSENT, "no_stamps"), (ABSENT, "no_packets")}  # what the account concludes
    assert {key: n for key, n in told.items() if key not in of_none} == reasons


def plant_passing(services, sky, *questions):
    """Plant each fault somewhere, so that each question is answered after all."""
    for i, name in enumerate(sky.names):
        faults = (PASSING[i % len(PASSING)], PASSING[(3 * i + 1) % len(PASSING)])
        services.plant(f"{questions[0]} {name}", *faults)
    for i, (_, candid) in enumerate(services.packets):
        services.plant(f"{questions[1]} {candid}", *[PASSING[i % 7]] * (i % 3))


@pytest.mark.parametrize("n_objects", [N_OBJECTS, pytest.param(200, marks=pytest.mark.slow)])
def test_whatever_fails_for_a_while_nothing_is_lost(tmp_path, n_objects):
    sky = Sky(tmp_path, n_objects, seed=5)
    with serving(sky.records, World()) as services:
        plant_passing(services, sky, "detections", "packet")
        check_all_comes(sky, services, tmp_path / "fetched")


def check_all_comes(sky, services, out):
    n_objects = len(sky.names)
    fetched = run(services, out, sky.labels)
    assert fetched.account.as_dict() == {
        "objects": {"asked": n_objects, GOT: {"": n_objects}},
        "alerts": {"asked": len(sky.records), GOT: {"": len(sky.records)}},
    }
    assert fetched.warnings == ()
    check_sums(fetched, out)
    assert services.world.pauses
    services.asked.clear()
    again = run(services, out, sky.labels)
    assert services.asked == []
    assert again.account.as_dict() | {"notes": {}} == fetched.account.as_dict() | {"notes": {}}
    same = built(out / "alerts", out / "labels.csv", sky.folder / "same.h5")
    assert same["hash"] == sky.built["hash"]


def test_from_fink_comes_the_same_but_for_the_rounding_of_its_text(sky, services, tmp_path):
    plant_passing(services, sky, "objects", "cutouts")
    fetched = run(services, tmp_path, sky.labels, "fink")
    assert fetched.account.total("alerts", GOT) == len(sky.records)
    services.asked.clear()
    run(services, tmp_path, sky.labels, "fink")
    assert services.asked == []
    same, whole = built(tmp_path / "alerts", sky.labels, tmp_path / "same.h5"), sky.built
    assert same.keys() == whole.keys()
    for name in same.keys() - {"hash", "metadata", "jd"}:
        np.testing.assert_array_equal(same[name], whole[name], err_msg=name)
    np.testing.assert_allclose(same["jd"], whole["jd"], rtol=0, atol=1e-9)
    # ten decimals in the service's JSON
    np.testing.assert_allclose(same["metadata"], whole["metadata"], rtol=1e-6, atol=1e-9)


def test_from_nights_comes_the_same(sky, services, tmp_path):
    for date in NIGHTS:
        services.plant(f"night {date}", "half", "broken")
    fetched = run(services, tmp_path, sky.labels, "nights", nights=NIGHTS)
    assert fetched.account.total("alerts", GOT) == len(sky.records)
    assert built(tmp_path / "alerts", sky.labels, tmp_path / "same.h5")["hash"] == sky.built["hash"]


def test_objects_that_are_in_no_night_are_named_unless_a_night_is_missing(sky, services, tmp_path):
    (tmp_path / "objects.csv").write_text(sky.labels.read_text() + "ZTF99nobody,SN,\n")
    out = tmp_path / "out"
    services.plant_for_ever(f"night {NIGHTS[0]}", "forbidden")
    fetched = run(services, out, tmp_path / "objects.csv", "nights", nights=NIGHTS)
    assert fetched.account.as_dict()["objects"] == {"asked": N_FEW + 1, INCOMPLETE: {"": N_FEW + 1}}
    services.heal()
    fetched = run(services, out, tmp_path / "objects.csv", "nights", nights=NIGHTS)
    assert fetched.account.as_dict()["objects"] == {
        "asked": N_FEW + 1,
        GOT: {"": N_FEW},
        ABSENT: {"in_no_night": 1},
    }
    (named,) = [line["in_no_night"] for line in journal(out) if "in_no_night" in line]
    assert named == ["ZTF99nobody"]


def test_the_first_five_are_what_a_sequence_needs_and_no_more(sky, services, tmp_path):
    run(services, tmp_path, sky.labels, first=5)
    alone, whole = built(tmp_path / "alerts", sky.labels, tmp_path / "first.h5"), sky.built
    asked = {question for question in services.asked if question.startswith("packet")}
    assert asked == {f"packet {candid}" for candid in whole["candid"][whole["kind"] == ALERT]}
    assert len(services.asked) == N_FEW + len(asked)
    np.testing.assert_array_equal(alone["stamps"], whole["stamps"])
    for name in ("candid", "jd", "metadata"):
        np.testing.assert_array_equal(*(made[name][made["kind"] == ALERT] for made in (alone, whole)), err_msg=name)


def test_more_of_the_same_objects_asks_only_for_what_is_not_here(sky, services, tmp_path):
    run(services, tmp_path, sky.labels, first=2)
    before = {*services.asked}
    services.asked.clear()
    fetched = run(services, tmp_path, sky.labels)
    assert not before & {*services.asked}
    assert all(question.startswith("packet") for question in services.asked)
    assert fetched.account.total("alerts", GOT) == len(sky.records)


# A few objects, to look at each.

NAMES = tuple(f"ZTF18aaaaaa{letter}" for letter in "abcde")


@pytest.fixture
def few():
    """Five objects of three alerts; the last has no stamps, as ALeRCE says."""
    jd = CANDIDATE["jd"]
    records = [
        alert(name, 10 * i + k, jd=jd + 2 * k, dec=float(i)) for i, name in enumerate(NAMES[:4], 1) for k in range(3)
    ]
    records.append(alert(NAMES[4], 99, history=[detection(1, 98)]))
    with serving(records, World()) as made:
        made.without_stamps.add(NAMES[4])
        yield made


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text("objectId,label,subclass\n" + "".join(f"{name},SN,SN Ia\n" for name in NAMES))
    return path


def test_what_does_not_come_is_named_and_asked_for_again_if_it_may_come(few, table, tmp_path):
    table.write_text(table.read_text() + "ZTF99nobody,AGN,\n../../x,VS,\nZTF98nolabel,,\n")
    few.plant_for_ever("packet 12", "missing")
    few.plant_for_ever("packet 21", "cut")
    few.plant_for_ever("packet 31", "broken")
    few.plant_for_ever(f"detections {NAMES[3]}", "forbidden")
    out = tmp_path / "out"
    fetched = run(few, out, table)
    assert fetched.account.as_dict() == {
        "objects": {
            "asked": 8,
            INCOMPLETE: {"": 3},
            ABSENT: {"bad_object_id": 1, "no_stamps": 1, "unknown_object": 2},
            FAILED: {"status_403": 1},
        },
        "alerts": {
            "asked": 9,
            GOT: {"": 6},
            ABSENT: {"not_found": 1},
            DAMAGED: {"bad_block": 1},
            FAILED: {"status_500": 1},
        },
        "notes": {"objects without a label": 1},
    }
    check_sums(fetched, out)
    without, later = fetched.warnings
    assert without.startswith(f"objects without an alert: 5 ({NAMES[3]}, {NAMES[4]}, ZTF99nobody, …)")
    assert "the same command asks for them" in later
    assert latest(out)[NAMES[4], 0]["alerts"] == 0
    assert "no detection" in latest(out)["ZTF99nobody", 0]["detail"]

    few.heal()
    few.asked.clear()
    fetched = run(few, out, table)
    assert sorted(few.asked) == [
        f"detections {NAMES[3]}",
        "packet 21",
        "packet 31",
        "packet 40",
        "packet 41",
        "packet 42",
    ]
    assert fetched.account.is_settled
    check_sums(fetched, out)
    few.asked.clear()
    run(few, out, table)
    assert few.asked == []


def test_what_was_absent_is_asked_for_again_if_that_is_wanted(few, table, tmp_path):
    """A packet, an object, and one of which there were no stamps; and what is here is not."""
    few.plant_for_ever("packet 12", "missing")
    few.plant_for_ever(f"detections {NAMES[2]}", "missing")
    out = tmp_path / "out"
    assert run(few, out, table).account.is_settled
    few.heal()
    few.without_stamps.clear()
    few.asked.clear()
    run(few, out, table)
    assert few.asked == []
    fetched = run(few, out, table, again=True)
    objects = [f"detections {NAMES[2]}", f"detections {NAMES[4]}"]
    assert sorted(few.asked) == sorted([*objects, *(f"packet {candid}" for candid in (12, 30, 31, 32, 99))])
    assert fetched.account.total("objects", GOT) == len(NAMES)
    check_sums(fetched, out)
    few.asked.clear()
    run(few, out, table, again=True)
    assert few.asked == []


def test_where_an_alert_is_absent_the_next_takes_its_place(few, table, tmp_path):
    """As `data build` has it; one that only failed keeps its place, for it may come."""
    few.plant_for_ever("packet 11", "missing")
    few.plant_for_ever("packet 20", "broken")
    out = tmp_path / "out"
    run(few, out, table, first=2)
    assert {path.stem for path in (out / "alerts").rglob("*.avro")} == {"10", "12", "21", "30", "31", "40", "41"}
    few.heal()
    few.asked.clear()
    run(few, out, table, first=2)
    assert few.asked == ["packet 20"]


def test_where_build_drops_an_alert_the_next_takes_its_place(table, tmp_path):
    jd = CANDIDATE["jd"]
    records = [alert(NAMES[0], k, jd=jd + k, **({"stamps": NO_STAMPS} if k == 2 else {})) for k in (1, 2, 3, 4)]
    with serving(records, World()) as services:
        for asked in (["packet 1", "packet 2", "packet 3"], []):
            services.asked.clear()
            fetched = run(services, tmp_path / "out", table, first=2)
            assert [question for question in services.asked if question.startswith("packet")] == asked
            assert fetched.account.notes["alerts that `data build` drops"] == 1
            assert fetched.account.total("alerts", GOT) == 3
    same = built(tmp_path / "out" / "alerts", table, tmp_path / "same.h5")
    assert same["candid"].tolist() == [1, 3]


def test_those_that_failed_are_asked_for_last(few, table, tmp_path):
    few.plant(f"detections {NAMES[0]}", *["broken"] * ATTEMPTS)
    run(few, tmp_path / "out", table, first=1)
    (tmp_path / "out" / "objects" / "alerce" / f"{NAMES[2]}.json").unlink()
    few.asked.clear()
    run(few, tmp_path / "out", table, first=1)
    assert few.asked == [f"detections {NAMES[2]}", f"detections {NAMES[0]}", "packet 10"]


def test_a_service_that_wants_to_be_left_alone_is(few, table, tmp_path):
    few.plant("packet 20", "busy_for_a_day")
    out = tmp_path / "out"
    fetched = run(few, out, table)
    assert few.asked[-1] == "packet 20"
    assert fetched.account.as_dict()["objects"] == {"asked": 5, GOT: {"": 1}, INCOMPLETE: {"": 1}, NOT_ASKED: {"": 3}}
    assert fetched.account.as_dict()["alerts"] == {
        "asked": 6,
        GOT: {"": 3},
        FAILED: {"status_429": 1},
        NOT_ASKED: {"": 2},
    }
    assert "stopped early: the service asks not to be asked for 86400 s" in fetched.warnings[0]
    assert journal(out)[-1]["stopped"]
    few.asked.clear()
    fetched = run(few, out, table)
    assert fetched.account.total("objects", GOT) == 4
    assert "packet 10" not in few.asked


@pytest.mark.parametrize("service", ["alerce", "fink"])
def test_a_service_whose_columns_have_changed_is_left(sky, services, tmp_path, monkeypatch, service):
    monkeypatch.setattr(clients, "FAILURES_IN_A_ROW", 4)
    for name in sky.names:
        services.plant_for_ever(f"{'detections' if service == 'alerce' else 'objects'} {name}", "other_columns")
    fetched = run(services, tmp_path, sky.labels, service)
    assert fetched.account.as_dict()["objects"] == {
        "asked": N_FEW,
        DAMAGED: {"changed_columns": 4},
        NOT_ASKED: {"": N_FEW - 4},
    }
    missing = "candid" if service == "alerce" else "i:jd"
    assert f"no column {missing} (there are" in fetched.warnings[0]


def test_a_service_that_knows_nobody_is_not_believed(few, table, tmp_path):
    """As at an address that has changed: once it knows an object, it is."""
    for name in NAMES:
        few.plant_for_ever(f"detections {name}", "missing")
    fetched = run(few, tmp_path / "out", table, first=1)
    assert fetched.account.as_dict() == {"objects": {"asked": 5, FAILED: {"nobody_known": 5}}}
    few.heal()
    few.plant_for_ever(f"detections {NAMES[1]}", "missing")
    fetched = run(few, tmp_path / "out", table, first=1)
    assert fetched.account.as_dict()["objects"] == {
        "asked": 5,
        GOT: {"": 3},
        ABSENT: {"no_stamps": 1, "unknown_object": 1},
    }
    assert fetched.account.is_settled


def test_a_service_that_gives_no_packet_is_not_believed(few, table, tmp_path):
    """As where the packets have moved, but not the objects."""
    for _, candid in few.packets:
        few.plant_for_ever(f"packet {candid}", "missing")
    fetched = run(few, tmp_path / "out", table)
    n_alerts = fetched.account.total("alerts")
    assert n_alerts > 1
    assert fetched.account.as_dict()["alerts"] == {"asked": n_alerts, FAILED: {"none_given": n_alerts}}
    assert not fetched.account.is_settled
    few.heal()
    fetched = run(few, tmp_path / "out", table)
    assert fetched.account.as_dict()["alerts"] == {"asked": n_alerts, GOT: {"": n_alerts}}


def test_what_one_service_lacks_another_may_have(few, table, tmp_path):
    few.plant_for_ever("packet 12", "missing")
    run(few, tmp_path / "out", table)
    few.asked.clear()
    fetched = run(few, tmp_path / "out", table, "fink")
    assert sorted(few.asked) == sorted([f"objects {name}" for name in NAMES] + ["cutouts 12", "cutouts 99"])
    assert fetched.account.total("objects", GOT) == 5


def test_a_packet_that_has_changed_on_disk_is_asked_for_again(few, table, tmp_path):
    out = tmp_path / "out"
    run(few, out, table)
    (out / "alerts" / NAMES[0] / "10.avro").write_bytes(b"scribble")
    few.asked.clear()
    fetched = run(few, out, table)
    assert few.asked == ["packet 10"]
    assert fetched.account.notes["files that had changed on disk"] == 1


def test_every_label_has_its_provenance(few, table, tmp_path):
    out = tmp_path / "out"
    run(few, out, table, first=1, command="jtss data fetch …")
    line = latest(out)[NAMES[0], 0]
    assert (line["label"], line["subclass"]) == ("SN", "SN Ia")
    assert line["url"] == f"{few.address}/ztf/v1/objects/{NAMES[0]}/detections"
    (said,) = [line for line in journal(out) if "labels" in line]
    assert said["labels"] == str(table)
    assert said["labels_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert labels.load(out / "labels.csv") == labels.load(table)
    assert labels.load_subclasses(out / "labels.csv") == labels.load_subclasses(table) != {}
    (ran,) = [line for line in journal(out) if "run" in line]
    assert ran["run"] == "jtss data fetch …"


def test_a_table_of_any_kind_is_kept_as_one_that_build_reads(few, table, tmp_path):
    """With other columns, and several rows of an object, as of the evidence of `data labels`."""
    rows = [(name, labels.load(table).get(name, "")) for name in labels.objects(table)]
    given = Table(rows=[*rows, rows[0]], names=("name", "class"))
    given.write(tmp_path / "given.vot", format="votable")
    out, columns = tmp_path / "out", {"objectId": "name", "label": "class"}
    fetched = run(few, out, tmp_path / "given.vot", first=1, columns=columns)
    assert fetched.account.total("objects") == len(rows)
    assert labels.objects(out / "labels.csv") == [name for name, _ in rows]
    assert labels.load(out / "labels.csv") == labels.load(table)


def test_a_table_elsewhere_is_read_and_named_without_its_secrets(few, table, tmp_path):
    pytest.importorskip("aiohttp")
    elsewhere, out = pytest.importorskip("helpers.elsewhere", reason="it needs fsspec"), tmp_path / "out"
    with elsewhere.web_server(tmp_path, query=f"?signature={elsewhere.SECRET}") as host:
        run(few, out, f"http://{host}/objects.csv?signature={elsewhere.SECRET}", first=1)
    (said,) = [line for line in journal(out) if "labels" in line]
    assert said["labels"] == f"http://{host}/objects.csv?***"
    assert said["labels_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert labels.load(out / "labels.csv") == labels.load(table)


def test_a_smaller_table_tells_of_what_it_leaves_without_a_label(few, table, tmp_path):
    out = tmp_path / "out"
    run(few, out, table, first=1)
    (out / "labels.csv").write_text(f"objectId,label\n{NAMES[0]},SN\n")
    fetched = run(few, out, out / "labels.csv", first=1)
    (warning,) = fetched.warnings
    assert "that the table does not list: 3" in warning


def test_what_cannot_be_used_is_said_before_anything_is_asked(few, table, tmp_path):
    for more, message in (
        ({"urls": {"alers": "http://x"}}, "no such service; there are alerce, alerce-avro, fink, nights"),
        ({"urls": {"alerce": "api.alerce.online"}}, "expected http://HOST"),
        ({"nights": ["2024-01-31"], "service": "nights"}, "expected a date as 20240131"),
    ):
        settings = {"service": "alerce", "labels_path": table} | more
        with Client(1000.0) as client, pytest.raises(InputError, match=message):
            fetch(tmp_path / "out", settings.pop("service"), client, **settings)
    assert not (tmp_path / "out").exists()
    assert few.asked == []


def test_the_command_knows_the_services():
    assert tuple(data_fetch.SERVICES) == SERVICES
    assert all(url.startswith("https://") for url in URLS.values())
