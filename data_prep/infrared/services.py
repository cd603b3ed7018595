"""AllWISE sources near given positions from services: CDS's xMatch and any TAP service that takes uploads.

Positions go in chunks; a chunk that fails is asked again, and what was answered is kept in the user's cache folder with
radius and date, also that there was nothing. So what was broken off goes on, and no position is asked twice.
"""

import hashlib
import io
import re
import sqlite3
import warnings
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_prep import tables
from data_prep.infrared import allwise
from data_prep.lost import DAMAGED, Lost
from jtss import files
from jtss.errors import InputError

if TYPE_CHECKING:
    from data_prep.client import Client, Reply  # httpx is imported on use: most alerts are read without it

KINDS = ("tap", "xmatch")
TABLE = "II/328/allwise"  # VizieR's
XMATCH_COLUMNS = "RAJ2000,DEJ2000,W1mag,W2mag,W3mag,W4mag"  # of VizieR's table
CHUNK = 2000  # positions in a request
BUSY_SECONDS = 60.0  # while another process writes into the cache
SILENCE_SECONDS = 300.0  # while a service looks
MOST_BYTES = 64 << 20  # of an answer; a source has some 100
IDENTIFIER = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*")
OURS = ("jtss_row", "jtss_ra", "jtss_dec")  # columns of an upload
EXCERPT = 200  # characters of an answer in a message


class ServiceError(OSError):
    """A service did not answer, or not with a table; the message names it and what it said."""


class _OverflowError(Exception):
    """The service cut its answer off; fewer positions may do."""


class Service(NamedTuple):
    """Where to ask: `kind` of KINDS, its address, and its table of AllWISE sources."""

    kind: str
    url: str
    table: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.url}#{self.table}"


def parse(text: str) -> Service | None:
    """The service of tap:URL or xmatch:URL, where #TABLE may follow; None where the text is none of these.

    Raises:
        InputError: there is no address.
    """
    kind, mark, rest = text.partition(":")
    if not mark or kind not in KINDS:
        return None
    url, _, table = rest.partition("#")
    if not re.match(r"https?://[^/]", url):
        raise InputError(f"--allwise {text}: expected {kind}:URL or {kind}:URL#TABLE, where URL begins with https://")
    return Service(kind, url, table or TABLE)


def near(service: Service, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> tuple[dict[str, np.ndarray], str]:
    """The sources within a radius of positions.

    Args:
        ra, dec: [N] [deg]; NaN where unknown, which is not asked.

    Returns:
        The columns of `allwise.read`, of K sources; and what was asked and what was in the cache, in words.

    Raises:
        ServiceError: a chunk failed in all attempts; what was answered before is kept.
        InputError: the service refuses the question, has no such table or columns, or httpx is not installed.
    """
    places = np.unique(np.stack([ra, dec], axis=-1)[np.isfinite(ra) & np.isfinite(dec)], axis=0)
    path = _cache_path(service, radius_arcsec)
    try:
        with closing(_open_cache(path)) as cache:
            known = set(cache.execute("SELECT ra, dec FROM asked"))
            missing = np.array([place for place in places.tolist() if tuple(place) not in known]).reshape(-1, 2)
            if len(missing):
                with _client(service) as client:
                    for first in range(0, len(missing), CHUNK):
                        _ask_and_keep(cache, client, service, missing[first : first + CHUNK], radius_arcsec)
            found, dates = _kept(cache, places)
    except sqlite3.OperationalError as error:  # nothing is wrong with what it holds
        raise InputError(f"{path}: {error}; another process holds this cache, or the disk is full") from error
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: cannot be used as a cache ({error}); remove it, and it is made anew") from error
    of_cache = f", {len(places) - len(missing)} of them answered by the cache" if len(missing) < len(places) else ""
    when = f"; answers of {' to '.join(dict.fromkeys(dates))} in {path}" if dates else ""
    return found, f'{len(places)} positions asked of {service} by {radius_arcsec:g}"{of_cache}{when}'


def _client(service: Service) -> "Client":
    try:
        import httpx  # of the extra "fetch"
    except ImportError:
        raise InputError(
            f"{service}: needs the package httpx, which is not installed: pip install 'jtss[fetch]'"
        ) from None
    from data_prep.client import CONNECT_SECONDS, Client

    return Client(timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS))


def _cache_path(service: Service, radius_arcsec: float):
    name = hashlib.blake2b(str(service).encode(), digest_size=6).hexdigest()
    return files.user_cache() / "allwise" / f"{service.kind}_{name}_{radius_arcsec:g}arcsec.sqlite"


def _open_cache(path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache = sqlite3.connect(path, timeout=BUSY_SECONDS)
    columns = ", ".join(f"{name} REAL" for name in allwise.WANTED)
    with cache:
        cache.execute("CREATE TABLE IF NOT EXISTS asked (ra REAL, dec REAL, date TEXT, PRIMARY KEY (ra, dec))")
        cache.execute(f"CREATE TABLE IF NOT EXISTS found (at_ra REAL, at_dec REAL, {columns})")
        cache.execute("CREATE INDEX IF NOT EXISTS place ON found (at_ra, at_dec)")
    return cache


def _ask_and_keep(
    cache: sqlite3.Connection, client: "Client", service: Service, places: np.ndarray, radius_arcsec: float
) -> None:
    """Ask for some places [P, 2], in halves where the service cuts its answer off, and keep what it says."""
    try:
        row, columns = ASK[service.kind](service, client, places, radius_arcsec)
    except _OverflowError:
        if len(places) == 1:
            raise ServiceError(
                f"{service}: cuts off its answer for a single position; expected a smaller radius"
            ) from None
        for half in np.array_split(places, 2):
            _ask_and_keep(cache, client, service, half, radius_arcsec)
        return
    today = datetime.now(UTC).date().isoformat()
    values = [[None if np.isnan(value) else float(value) for value in columns[name]] for name in allwise.WANTED]
    with cache:  # all or nothing
        cache.executemany(
            "INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", [(*place, today) for place in places.tolist()]
        )
        marks = ", ".join("?" * (2 + len(values)))
        rows = zip(*places[row].T.tolist(), *values, strict=True)
        cache.executemany(f"INSERT INTO found VALUES ({marks})", list(rows))


def _kept(cache: sqlite3.Connection, places: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """What the cache has of places [N, 2], and the first and last date of these answers."""
    cache.execute("CREATE TEMP TABLE wanted (ra REAL, dec REAL)")
    cache.executemany("INSERT INTO wanted VALUES (?, ?)", places.tolist())
    names = ", ".join(f"found.{name}" for name in allwise.WANTED)
    rows = cache.execute(
        f"SELECT DISTINCT {names} FROM wanted JOIN found ON at_ra = wanted.ra AND at_dec = wanted.dec"
    ).fetchall()  # distinct, for a source near two places is one source
    columns = np.array(rows, np.float64).reshape(-1, len(allwise.WANTED)).T
    dates = cache.execute("SELECT min(date), max(date) FROM wanted JOIN asked USING (ra, dec)").fetchone()
    return dict(zip(allwise.WANTED, columns, strict=True)), [date for date in dates if date]


def _xmatch(
    service: Service, client: "Client", places: np.ndarray, radius_arcsec: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    lines = "".join(f"{row},{ra!r},{dec!r}\n" for row, (ra, dec) in enumerate(places.tolist()))
    data = {
        "request": "xmatch",
        "distMaxArcsec": f"{radius_arcsec:g}",
        "selection": "all",
        "RESPONSEFORMAT": "votable",
        "cat2": f"vizier:{service.table}",
        "cols2": XMATCH_COLUMNS,
        "colRA1": OURS[1],
        "colDec1": OURS[2],
    }
    upload = {"cat1": ("jtss.csv", f"{','.join(OURS)}\n{lines}", "text/csv")}
    table = _asked(service, client, service.url, data, upload)
    return _rows(service, table, len(places)), tables.of_table(str(service), table, allwise.WANTED)


def _tap(
    service: Service, client: "Client", places: np.ndarray, radius_arcsec: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    from astropy.table import Table

    chosen = _tap_columns(service, client)
    table = service.table if IDENTIFIER.fullmatch(service.table) else f'"{service.table}"'
    ra, dec = (f"c.{_quoted(chosen[name].name)}" for name in ("ra", "dec"))
    names = ", ".join(f"c.{_quoted(column.name)} AS jtss_{ours.lower()}_there" for ours, column in chosen.items())
    query = (
        f"SELECT t.{OURS[0]} AS {OURS[0]}, {names} FROM TAP_UPLOAD.jtss AS t JOIN {table} AS c ON 1 ="
        f" CONTAINS(POINT('ICRS', {ra}, {dec}), CIRCLE('ICRS', t.{OURS[1]}, t.{OURS[2]}, {radius_arcsec / 3600!r}))"
    )
    uploaded = io.BytesIO()
    Table([np.arange(len(places), dtype=np.int32), *places.T], names=OURS).write(uploaded, format="votable")
    data = _tap_query(query) | {"UPLOAD": "jtss,param:jtss"}
    answer = _asked(
        service, client, _sync(service), data, {"jtss": ("jtss.vot", uploaded.getvalue(), "application/x-votable+xml")}
    )
    wanted = {
        ours: tables.Wanted(allwise.WANTED[ours].kind, ((f"jtss_{ours.lower()}_there",),)) for ours in allwise.WANTED
    }
    for ours, column in chosen.items():  # what the answer has no unit for has that of the service's table of columns
        name = f"jtss_{ours.lower()}_there"
        if name in answer.colnames and answer[name].unit is None and column.factor != 1:
            answer[name] = answer[name] * column.factor
    return _rows(service, answer, len(places)), tables.of_table(str(service), answer, wanted)


def _tap_columns(service: Service, client: "Client") -> dict[str, tables.Column]:
    """What the table calls its columns, as the service's own table of columns says."""
    name = service.table.replace("'", "''")
    query = f"SELECT column_name, unit FROM TAP_SCHEMA.columns WHERE table_name IN ('{name}', '\"{name}\"')"
    found = _asked(service, client, _sync(service), _tap_query(query), {})
    if not len(found):
        raise InputError(
            f"{service}: the service has no table {service.table}; name its AllWISE table as {service.url}#TABLE"
        )
    texts = tables.of_table(
        str(service),
        found,
        {name: tables.Wanted("text", ((name,),), required=name == "column_name") for name in ("column_name", "unit")},
    )
    columns = [name.strip('"') for name in texts["column_name"].to_pylist()]
    units = texts["unit"].to_pylist() if "unit" in texts else [None] * len(columns)
    return tables.resolve(str(service), allwise.WANTED, zip(columns, units, strict=True))


def _sync(service: Service) -> str:
    return f"{service.url.rstrip('/').removesuffix('/sync')}/sync"


def _tap_query(query: str) -> dict[str, str]:
    return {"REQUEST": "doQuery", "LANG": "ADQL", "RESPONSEFORMAT": "votable", "FORMAT": "votable", "QUERY": query}


def _quoted(name: str) -> str:
    return name if IDENTIFIER.fullmatch(name) else f'"{name}"'


ASK = {"tap": _tap, "xmatch": _xmatch}


def _rows(service: Service, table, n_places: int) -> np.ndarray:
    """[K] int64: of which place each source of an answer is."""
    if OURS[0] not in table.colnames:
        raise ServiceError(f"{service}: the answer has no column {OURS[0]}; found {', '.join(table.colnames)}")
    rows = np.ma.filled(np.ma.asarray(table[OURS[0]]), -1).astype(np.int64)
    if np.any((rows < 0) | (rows >= n_places)):
        raise ServiceError(f"{service}: the answer is of rows that were not asked, {rows.min()} to {rows.max()}")
    return rows


def _asked(service: Service, client: "Client", url: str, form: dict, uploads: dict):
    """The table that a service answers a request with, after as many attempts as it takes.

    Raises:
        ServiceError, InputError: as `near`; _OverflowError: the table was cut off.
    """
    from data_prep.client import PASSING, Request

    try:
        return client.ask(
            Request(url, form=form, uploads=uploads or None),
            partial(_table_of, service),
            MOST_BYTES,
            lambda status: status not in PASSING,  # of the others the answer says why
        )
    except Lost as lost:
        raise ServiceError(
            f"{service}: no answer: {client.refusal or lost.detail}; what it answered before is kept"
        ) from None


def _table_of(service: Service, answer: "Reply"):
    """The table in an answer."""
    from astropy.io import votable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of VOTables that are not to the letter
            whole = votable.parse(io.BytesIO(answer.body), verify="ignore")
    except Exception as error:  # of astropy, on any bytes
        if answer.is_error:
            raise InputError(f"{service}: refuses with status {answer.status}: {_excerpt(answer)}") from error
        detail = f"no readable VOTable, but {_excerpt(answer)!r}"
        raise Lost(DAMAGED, "no_votable", detail, again=True) from error
    status = [info for part in (whole, *whole.resources) for info in part.infos if info.name == "QUERY_STATUS"]
    if any(info.value == "ERROR" for info in status) or answer.is_error:
        said = next((" ".join(info.content.split()) for info in status if info.content), _excerpt(answer))
        raise InputError(f"{service}: refuses: {said[:EXCERPT]}")
    if any(info.value == "OVERFLOW" for info in status):
        raise _OverflowError
    if next(whole.iter_tables(), None) is None:
        raise Lost(DAMAGED, "no_table", f"a VOTable without a table: {_excerpt(answer)!r}", again=True)
    return whole.get_first_table().to_table(use_names_over_ids=True)


def _excerpt(answer: "Reply") -> str:
    return " ".join(answer.body[:EXCERPT].decode(errors="replace").split())
