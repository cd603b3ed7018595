"""ALeRCE, Fink and the archive of nights on this machine: alerts of a simulated sky in the shapes of the real services,
and their faults where a test plants them."""

import hashlib
import io
import json
import tarfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import fastavro
import pandas as pd

from data_prep.packets.fits import decode_cutout
from data_prep.simulate.packets import CHANNELS, encode_file

MJD_0 = 2400000.5
NIGHTS = ("20240101", "20240102", "20240103")
PAGE = b"<!DOCTYPE html><html><body>Scheduled maintenance</body></html>"
RETRY_AFTER_SECONDS = 7
DETECTION = ("fid", "pid", "diffmaglim", "magpsf", "sigmapsf", "ra", "dec", "rb", "distnr", "magapbig", "rfid")


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes
    more: Mapping[str, str] = {}


NOT_FOUND = Answer(404, "application/json", b'{"message": "AVRO not found"}')


class World:
    """Time as a test has it: it passes where somebody waits.

    Attributes:
        pauses: how long was waited, each time [s].
    """

    def __init__(self) -> None:
        self.seconds, self.pauses, self.n_looks = 1.8e9, [], 0

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def clock(self) -> float:
        self.n_looks += 1
        return self.seconds

    def settings(self) -> dict:
        """For a Client that lives in this world."""
        return {"pause": self.pause, "clock": self.clock, "now": lambda: self.seconds, "draw": lambda: 0.5}


class FakeServices:
    """The services.

    Attributes:
        address: http://HOST:PORT. urls: for `fetch`, by name.
        packets: {(object, candid): record}. avro: the file of each.
        asked: what was asked for, in order, as "detections SIM00000001" or "cutouts 40002".
        ranges: the Range of each question for a night. published: sums of nights that are not theirs.
        without_stamps: objects of which ALeRCE has no stamps.
        world: whose clock runs where an answer is slow.
    """

    def __init__(self, records: Sequence[dict], world: World | None = None) -> None:
        self.packets = {(record["objectId"], record["candid"]): record for record in records}
        self.avro = {key: encode_file([record]) for key, record in self.packets.items()}
        self.asked: list[str] = []
        self.ranges: list[str | None] = []
        self.published: dict[str, str] = {}
        self.without_stamps: set[str] = set()
        self.world, self._faults, self._always, self._nights = world, defaultdict(list), {}, {}
        self._closing = threading.Event()
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                services.handle(self, {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

            def do_POST(self) -> None:
                services.handle(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_about: object) -> None:
                """Whoever asked has hung up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.urls = {
            "alerce": f"{self.address}/ztf/v1",
            "alerce-avro": self.address,
            "fink": self.address,
            "nights": f"{self.address}/alerts/public",
        }

    def options(self) -> list[str]:
        """For the command."""
        return [word for name, url in self.urls.items() for word in ("--url", f"{name}={url}")]

    def plant(self, question: str, *faults: str) -> None:
        """Let the next answers to a question be these, and good ones after them."""
        self._faults[question] += faults

    def plant_for_ever(self, question: str, fault: str) -> None:
        self._always[question] = fault

    def heal(self) -> None:
        """From here on all is well."""
        self._faults.clear()
        self._always.clear()

    def close(self) -> None:
        self._closing.set()

    def handle(self, handler: BaseHTTPRequestHandler, given: Mapping[str, str]) -> None:
        question, good = self._answer(urlsplit(handler.path).path, given, handler)
        self.asked.append(question)
        fault = self._always.get(question)
        if fault is None and self._faults[question] and "again" not in given:
            fault = self._faults[question].pop(0)
        getattr(self, f"_{fault or 'send'}")(handler, good)

    def _answer(self, path: str, given: Mapping, handler: BaseHTTPRequestHandler) -> tuple[str, Answer]:
        if path.startswith("/ztf/v1/objects/") and path.endswith("/detections"):
            name = path.split("/")[4]
            return f"detections {name}", as_json(self._detections(name))
        if path == "/get_avro":
            avro = self.avro.get((given["oid"], int(given["candid"])))
            good = NOT_FOUND if avro is None else Answer(200, "app/avro+binary", avro, {"Server": "gunicorn"})
            return f"packet {given['candid']}", good
        if path == "/api/v1/objects":
            assert given["withupperlim"] in (True, "True")
            return f"objects {given['objectId']}", Answer(200, "application/json", self._rows(given["objectId"]))
        if path == "/api/v1/cutouts":
            assert (given["kind"], given["output-format"]) == ("All", "array")
            return f"cutouts {given['candid']}", self._cutouts(given["objectId"], int(given["candid"]))
        name = path.removeprefix("/alerts/public/")
        if name == "MD5SUMS":
            sums = {night: hashlib.md5(self.night(night)).hexdigest() for night in NIGHTS} | self.published
            text = "".join(f"{md5}  {night_file(night)}\n" for night, md5 in sums.items())
            return "sums", Answer(200, "text/plain", text.encode())
        night = name.removeprefix("ztf_public_").removesuffix(".tar.gz")
        return f"night {night}", self._part(night, handler)

    def of(self, name: str) -> list[dict]:
        return [record for (other, _), record in self.packets.items() if other == name]

    def _detections(self, name: str) -> list[dict]:
        """ALeRCE's: those with stamps, and those that only histories tell."""
        rows = {}
        for record in self.of(name):
            for told in record["prv_candidates"] or []:
                if told["magpsf"] is not None and told["candid"]:
                    rows.setdefault(told["candid"], _detection(told, told["candid"], has_stamp=False))
        for record in self.of(name):
            has_stamp = name not in self.without_stamps
            rows[record["candid"]] = _detection(record["candidate"], record["candid"], has_stamp=has_stamp)
        return sorted(rows.values(), key=lambda row: row["candid"][::-1])  # in no order of time

    def _rows(self, name: str) -> bytes:
        """Fink's: alerts typed, the others as text, the latest first."""
        alerts, others = self.of(name), {}
        if not alerts:
            return b"[]"
        times = {record["candidate"]["jd"] for record in alerts}
        for record in alerts:
            for told in record["prv_candidates"] or []:
                if told["jd"] not in times:
                    others[told["jd"], told["fid"], told["magpsf"]] = told
        valid = pd.DataFrame(
            [
                {"i:objectId": name, **_prefixed(record["candidate"]), "d:fink_broker_version": "3.1", "d:tag": "valid"}
                for record in alerts
            ]
        )
        valid["i:candid"] = [record["candid"] for record in alerts]
        text = pd.DataFrame(
            [
                {key: str(value) for key, value in _prefixed(told).items() if value is not None}
                | {"i:candid": -1, "d:tag": "upperlim" if told["magpsf"] is None else "badquality"}
                for told in others.values()
            ]
        )
        rows = pd.concat([valid, text]) if len(text) else valid
        rows["i:jd"] = rows["i:jd"].astype(float)
        return rows.sort_values("i:jd", ascending=False).to_json(orient="records").encode()

    def _cutouts(self, name: str, candid: int) -> Answer:
        record = self.packets[name, candid]
        stamps = {channel: decode_cutout(record[f"cutout{channel}"]["stampData"]) for channel in CHANNELS}
        return as_json({f"b:cutout{channel}_stampData": stamp.tolist() for channel, stamp in stamps.items()})

    def night(self, night: str) -> bytes:
        """The archive of a night: every third alert."""
        if night not in self._nights:
            mine = list(self.packets)[NIGHTS.index(night) :: len(NIGHTS)]
            self._nights[night] = _tar({f"{candid}.avro": self.avro[name, candid] for name, candid in mine})
        return self._nights[night]

    def _part(self, night: str, handler: BaseHTTPRequestHandler) -> Answer:
        """A night, or the rest of it."""
        asked = handler.headers["Range"]
        self.ranges.append(asked)
        if night not in NIGHTS:
            return Answer(404, "text/html", PAGE)
        whole = self.night(night)
        tag = f'"{hashlib.md5(whole).hexdigest()}"'
        if not asked or handler.headers["If-Range"] != tag:
            return Answer(200, "application/x-gzip", whole, {"ETag": tag})
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(whole):
            return Answer(416, "text/html", PAGE, {"Content-Range": f"bytes */{len(whole)}"})
        stated = {"ETag": tag, "Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"}
        return Answer(206, "application/x-gzip", whole[start:], stated)

    # What a question may get: a good answer, or a fault.

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer, said: int | None = None) -> None:
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.kind)
        handler.send_header("Content-Length", str(len(answer.body) if said is None else said))
        for name, value in answer.more.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer.body)

    def _slow(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        """Half of it; ten minutes later the rest. The client looks at its clock first, when it has the head."""
        n_looks, half = self.world.n_looks, len(good.body) // 2
        self._send(handler, good._replace(body=good.body[:half]), said=len(good.body))
        handler.wfile.flush()
        while self.world.n_looks == n_looks and not self._closing.is_set():
            time.sleep(0.001)
        self.world.seconds += 600
        handler.wfile.write(good.body[half:])

    def _silent(self, _handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._closing.wait()

    def _half(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        self._send(handler, good._replace(body=good.body[: len(good.body) // 2]), said=len(good.body))
        handler.close_connection = True

    def _cut(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        """Half of it, as if it were all."""
        self._send(handler, good._replace(body=good.body[: len(good.body) // 2]))

    def _page(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(200, "text/html; charset=utf-8", PAGE))

    def _lying_page(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        self._send(handler, Answer(200, good.kind, PAGE))

    def _other_kind(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        self._send(handler, good._replace(kind="text/plain"))

    def _missing(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, NOT_FOUND)

    def _busy(self, handler: BaseHTTPRequestHandler, _good: Answer, after: str = str(RETRY_AFTER_SECONDS)) -> None:
        self._send(handler, Answer(429, "text/plain", b"slow down", {"Retry-After": after}))

    def _busy_till(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.world.seconds + 60))
        self._busy(handler, good, date)

    def _busy_for_a_day(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        self._busy(handler, good, "86400")

    def _broken(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(500, "text/html", PAGE))

    def _forbidden(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(403, "text/html", PAGE))

    def _redirect(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        to = handler.path + ("&" if "?" in handler.path else "?") + "again=1"
        self._send(handler, Answer(307, "text/html", b"", {"Location": to}))

    def _circle(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(307, "text/html", b"", {"Location": handler.path}))

    def _other_columns(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        self._send(handler, good._replace(body=good.body.replace(b'"candid"', b'"id"').replace(b"i:jd", b"r:mjd")))

    def _other_alert(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(200, "app/avro+binary", next(iter(self.avro.values()))))

    def _empty_png(self, handler: BaseHTTPRequestHandler, _good: Answer) -> None:
        self._send(handler, Answer(200, "image/png", b""))

    def _bent(self, handler: BaseHTTPRequestHandler, good: Answer) -> None:
        """A bit of it has changed on the way."""
        at = len(good.body) // 2
        self._send(handler, good._replace(body=good.body[:at] + bytes([good.body[at] ^ 1]) + good.body[at + 1 :]))


def as_json(content: object) -> Answer:
    return Answer(200, "application/json", json.dumps(content).encode())


def _detection(values: Mapping, candid: int, *, has_stamp: bool) -> dict:
    row = {name: values.get(name) for name in DETECTION}
    about = {"candid": str(candid), "has_stamp": has_stamp, "corrected": False, "parent_candid": None}
    return row | about | {"mjd": values["jd"] - MJD_0, "isdiffpos": 1 if values["isdiffpos"] == "t" else -1}


def _prefixed(values: Mapping) -> dict:
    return {f"i:{name}": value for name, value in values.items()}


def _tar(files: Mapping[str, bytes]) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return into.getvalue()


def night_file(night: str) -> str:
    return f"ztf_public_{night}.tar.gz"


def records_below(folder: Path) -> list[dict]:
    """The packets of Avro files."""
    records = []
    for path in sorted(folder.rglob("*.avro")):
        with path.open("rb") as file:
            records += fastavro.reader(file)
    return records


@contextmanager
def serving(records: Sequence[dict], world: World | None = None) -> Iterator[FakeServices]:
    services = FakeServices(records, world)
    thread = threading.Thread(target=services.server.serve_forever, args=(0.01,), daemon=True)
    with services.server:
        thread.start()
        yield services
        services.close()
        services.server.shutdown()
