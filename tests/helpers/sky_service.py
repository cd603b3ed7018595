"""A service on this machine that answers as CDS's xMatch and a TAP service do, also with their faults."""

import email
import gzip
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import Table

NAMES = ("RAJ2000", "DEJ2000", "W1mag", "W2mag", "W3mag", "W4mag")
ERROR = (
    '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="ERROR">Incorrect ADQL query: unknown column</INFO></RESOURCE></VOTABLE>'
)


class SkyService:
    """Serves a catalogue of K sources, positions in degrees [K] and magnitudes [K, 4].

    Attributes:
        url: where it listens; /xmatch is CDS's service, /tap a TAP service.
        faults: what goes wrong with the next requests, one each: "500", "429", "busy_for_a_day", "400", "301", "308",
            "half" (of what it announced), "cut" (announced as whole), "html", "error", "inflates" (by a thousand).
        asked: the positions of each request that was answered, [P, 2].
        most: rows that it answers with; more are cut off.
    """

    def __init__(self, ra, dec, magnitudes) -> None:
        self.at, self.magnitudes = SkyCoord(ra, dec, unit="deg"), np.asarray(magnitudes, float)
        self.faults: list[str] = []
        self.asked: list[np.ndarray] = []
        self.queries: list[dict[str, str]] = []
        self.most, self.table, self.ra_unit = 10**6, "II/328/allwise", "deg"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.answer(self, fields_of(self.headers["Content-Type"], body))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, fields: dict[str, str]) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault in ("500", "429", "400"):
            said = ERROR.encode() if fault == "400" else b"<html>busy</html>"
            send(request, int(fault), said, {"Retry-After": "0"} if fault == "429" else {})
        elif fault == "busy_for_a_day":
            send(request, 503, b"", {"Retry-After": "86400"})
        elif fault == "inflates":
            send(request, 200, gzip.compress(bytes(10**6)), {"Content-Encoding": "gzip"})
        elif fault in ("301", "308"):
            send(request, int(fault), b"", {"Location": request.path})
        elif fault == "html":
            send(request, 200, b"<!DOCTYPE html><html><body>maintenance</body></html>")
        elif fault == "error":
            send(request, 200, ERROR.encode())
        else:
            self.queries.append(fields)
            body = self._of_xmatch(fields) if request.path.startswith("/xmatch") else self._of_tap(fields)
            if fault == "half":
                send(request, 200, body[: len(body) // 2], length=len(body))
            else:
                send(request, 200, body[: len(body) // 2] if fault == "cut" else body)

    def _of_xmatch(self, fields: dict[str, str]) -> bytes:
        assert fields["request"] == "xmatch"
        assert fields["cat2"] == f"vizier:{self.table}"
        table = Table.read(fields["cat1"], format="ascii.csv")
        places = np.stack([table[fields["colRA1"]], table[fields["colDec1"]]], axis=1)
        which, source, apart = self._near(places, float(fields["distMaxArcsec"]))
        columns = {"angDist": apart, **{name: np.asarray(table[name])[which] for name in table.colnames}}
        wanted = fields["cols2"].split(",")
        return self._written(columns | {name: self._column(name)[source] for name in wanted})

    def _of_tap(self, fields: dict[str, str]) -> bytes:
        query = fields["QUERY"]
        assert fields["REQUEST"] == "doQuery"
        if "TAP_SCHEMA" in query:
            there = f"'{self.table}'" in query
            names = [*NAMES, "AllWISE"] if there else []
            return self._written({"column_name": names, "unit": [self._unit(name) for name in names]})
        table = Table.read(io.BytesIO(fields["jtss"].encode()), format="votable")
        assert fields["UPLOAD"] == "jtss,param:jtss"
        places = np.array([table["jtss_ra"].tolist(), table["jtss_dec"].tolist()]).T
        radius = float(re.search(r"CIRCLE\('ICRS', t.jtss_ra, t.jtss_dec, ([\d.e-]+)\)", query)[1]) * 3600
        which, source, _ = self._near(places, radius)
        columns = {"jtss_row": np.array(table["jtss_row"].tolist())[which]}
        for name, alias in re.findall(r"c\.(\w+) AS (\w+)", query):
            columns[alias] = self._column(name)[source]
        return self._written(columns)

    def _near(self, places: np.ndarray, radius: float):
        self.asked.append(places)
        which, source, apart, _ = self.at.search_around_sky(SkyCoord(*places.T, unit="deg"), radius * u.arcsec)
        order = np.lexsort((source, which))
        return which[order], source[order], apart.arcsec[order]

    def _unit(self, name: str) -> str:
        return {"RAJ2000": self.ra_unit, "DEJ2000": "deg", "AllWISE": ""}.get(name, "mag")

    def _column(self, name: str) -> np.ndarray:
        if name == "RAJ2000":
            return self.at.ra.deg / (15 if self.ra_unit == "h" else 1)
        return self.at.dec.deg if name == "DEJ2000" else self.magnitudes[:, NAMES.index(name) - 2]

    def _written(self, columns: dict) -> bytes:
        table = Table({name: np.asarray(values)[: self.most] for name, values in columns.items()})
        cut = len(next(iter(columns.values()))) > self.most
        whole = votable.from_table(table)
        whole.resources[0].infos.append(votable.tree.Info(name="QUERY_STATUS", value="OVERFLOW" if cut else "OK"))
        out = io.BytesIO()
        whole.to_xml(out)
        return out.getvalue()


def fields_of(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form, files among them, as text."""
    if not kind.startswith("multipart"):
        from urllib.parse import parse_qsl

        return dict(parse_qsl(body.decode()))
    message = email.message_from_bytes(f"Content-Type: {kind}\n\n".encode() + body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode()
        for part in message.get_payload()
    }


def send(request, status: int, body: bytes, headers=None, length=None) -> None:
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(length or len(body)))
    request.end_headers()
    request.wfile.write(body)
    request.close_connection = True
