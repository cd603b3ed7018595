"""Fetch the alerts of listed objects, or of nights, into a folder that `data build` reads.

An interrupted run goes on with the same command: what was answered is not asked for again, what came to nothing is.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from data_prep import labels, remote
from data_prep.client import Client
from data_prep.fetch import folder as folders
from data_prep.fetch.account import Account
from data_prep.fetch.alerce import Alerce
from data_prep.fetch.fink import Fink
from data_prep.fetch.folder import Folder
from data_prep.fetch.nights import Nights, is_night
from data_prep.fetch.objects import Listing, Service, is_kept, provenance, wanted
from data_prep.lost import ABSENT, FAILED, GOT, INCOMPLETE, NOT_ASKED, Lost
from jtss import files
from jtss.errors import InputError

# Addresses by the names under which they can be replaced.
URLS = {
    "alerce": "https://api.alerce.online/ztf/v1",
    "alerce-avro": "https://avro.alerce.online",
    "fink": "https://api.ztf.fink-portal.org",
    "nights": "https://ztf.uw.edu/alerts/public",
}
SERVICES = ("alerce", "fink", "nights")
N_EXAMPLES = 3  # that a warning names


class Fetched(NamedTuple):
    """What a run came to.

    Attributes:
        account: what was asked for, by outcome.
        warnings: for the user, a line each.
    """

    account: Account
    warnings: tuple[str, ...]


def fetch(
    out: str | Path,
    service: str,
    client: Client,
    *,
    labels_path: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    nights: Sequence[str] = (),
    first: int | None = None,
    again: bool = False,
    urls: Mapping[str, str] | None = None,
    command: str = "",
    progress: bool = False,
) -> Fetched:
    """Fetch packets into the folder `out`: alerts/OBJECT/CANDID.avro, labels.csv, and the journal fetched.jsonl.

    Args:
        service: of SERVICES.
        labels_path, columns: table of objectId, label and maybe subclass, and what it calls them, see `labels.load`:
            which objects; or the URL of one. Nights may do without.
        nights: dates as 20240131, for the service "nights" only.
        first: only the first so many alerts of an object that are six hours apart; None: all.
        again: ask again for what the service did not have in earlier runs.
        urls: addresses that replace those of URLS, by name.
        command: what to write into the journal.

    Raises:
        InputError: labels, nights, addresses or the folder cannot be used.
        FileNotFoundError, OSError: of the files; the message names them.
    """
    addresses = URLS | _checked_urls(urls or {})
    for night in nights:
        if not is_night(night):
            raise InputError(f"night {night!r}: expected a date as 20240131")
    said, about = _said(labels_path, columns) if labels_path else ({}, {})
    account = Account()
    with folders.opened(Path(out), again=again) as folder:
        if labels_path:
            _keep_labels(folder, labels_path, said, about)
        folder.log({"run": command, "time": folders.as_text(client.now())})
        if service == "nights":
            _fetch_nights(nights, {*said}, Nights(addresses["nights"], client, folder, account), progress)
            _count_objects(nights, said, folder, account)
        else:
            served = (
                Fink(addresses["fink"]) if service == "fink" else Alerce(addresses["alerce"], addresses["alerce-avro"])
            )
            _Objects(served, client, folder, account, first).fetch(said, progress)
        account.notes["files that had changed on disk"] += folder.n_changed
        account.notes["objects without a label"] += sum(not each["label"] for each in said.values())
        account.notes = +account.notes  # those that are not 0
        folder.log({"ledger": account.as_dict(), "stopped": client.refusal, "time": folders.as_text(client.now())})
        return Fetched(account, tuple(_warnings(account, client, folder, [*said])))


def _checked_urls(urls: Mapping[str, str]) -> Mapping[str, str]:
    for name, url in urls.items():
        if name not in URLS:
            raise InputError(f"address {name}={url}: no such service; there are {', '.join(URLS)}")
        if not url.startswith(("http://", "https://")):
            raise InputError(f"address {name}={url}: expected http://HOST or https://HOST, maybe with a path")
    return urls


def _said(place: str | Path, columns: Mapping[str, str] | None) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Label and subclass of each object of a table, "" for none, and where the table is from, for the journal."""
    with remote.here(place) as path:
        known, subclasses = labels.load(path, columns), labels.load_subclasses(path, columns)
        names, where = labels.objects(path, columns), remote.masked(place) if remote.is_url(place) else path.resolve()
        about = {"labels": str(where), "labels_sha256": files.sum_of(path)}
    return {name: {"label": known.get(name, ""), "subclass": subclasses.get(name, "")} for name in names}, about


def _keep_labels(
    folder: Folder, place: str | Path, said: Mapping[str, Mapping[str, str]], about: Mapping[str, str]
) -> None:
    """Put what the table says beside the alerts, a row for each object, and where it came from into the journal."""
    path, kept, rows = remote.path_of(place), folder.path / folders.LABELS, io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(labels.COLUMNS)
    writer.writerows((name, each["label"], each["subclass"]) for name, each in said.items())
    if not (path and kept.exists() and kept.samefile(path)):
        files.write(kept, rows.getvalue())
    folder.log({**about, "file": folders.LABELS, "sha256": files.sum_of(kept)})


def _fetch_nights(dates: Sequence[str], object_ids: set[str], nights: Nights, progress: bool) -> None:
    for night in tqdm(dict.fromkeys(dates), unit="night", desc="fetch", disable=not progress):
        nights.fetch(night, object_ids)


def _count_objects(dates: Sequence[str], names: Iterable[str], folder: Folder, account: Account) -> None:
    """Count listed objects by whether there are alerts of them; the journal names those that are in none of the nights.

    Where a night did not come whole, any object may be in it.
    """
    there, absent = _with_alerts(folder), []
    is_whole = account.total("nights") == account.total("nights", GOT)
    for name in names:
        if not is_whole:
            account.count("objects", INCOMPLETE)
        elif name in there:
            account.count("objects", GOT)
        else:
            account.count("objects", ABSENT, "in_no_night")
            absent.append(name)
    if absent:
        folder.log({"nights": [*dates], "in_no_night": absent})


def _with_alerts(folder: Folder) -> set[str]:
    return {path.parent.name for path in (folder.path / folders.ALERTS).glob("*/*.avro")}


class _Objects:
    """Objects one after the other, from one service."""

    def __init__(self, service: Service, client: Client, folder: Folder, account: Account, first: int | None) -> None:
        self._service, self._client, self._folder = service, client, folder
        self._account, self._first = account, first

    def fetch(self, labels_by_object: Mapping[str, Mapping[str, str]], progress: bool) -> None:
        """Those of which something came to nothing before are asked for last, so that they keep nobody waiting."""
        unsettled = self._folder.unsettled(self._service.name)
        order = sorted(labels_by_object, key=lambda name: name in unsettled)  # stable
        for object_id in tqdm(order, unit="object", desc="fetch", disable=not progress):
            outcome, reason = self._fetch_object(object_id, labels_by_object[object_id])
            self._account.count("objects", outcome, reason)

    def _fetch_object(self, object_id: str, labelled: Mapping[str, str]) -> tuple[str, str]:
        """Outcome and reason."""
        try:
            listing = self._listing(object_id, labelled)
        except Lost as lost:
            return lost.outcome, lost.reason
        self._account.notes.update(listing.notes)
        if not len(listing.candid):
            return ABSENT, "no_stamps"
        outcomes = self._fetch_alerts(object_id, listing)
        if outcomes == {ABSENT}:
            return ABSENT, "no_packets"
        return (outcomes.pop() if outcomes in ({GOT}, {NOT_ASKED}) else INCOMPLETE), ""

    def _listing(self, object_id: str, labelled: Mapping[str, str]) -> Listing:
        """What the service says, or has said, of an object; raises Lost."""
        name, folder = self._service.name, self._folder
        try:
            if (answer := folder.answer(name, object_id)) is not None:
                listing = self._service.listing(object_id, answer)
                if len(listing.candid) or not folder.again:
                    return listing
            if not folders.NAME.fullmatch(object_id):
                raise Lost(ABSENT, "bad_object_id", f"{object_id[:80]!r}, expected letters and digits, as ZTF18abcdefg")
            reply = self._service.ask_object(self._client, object_id)
        except Lost as lost:
            if lost.reason == "unknown_object" and not folder.has_given_any(name, alerts=False):
                # a wrong address knows nobody either, and an absence is believed for good
                lost = Lost(FAILED, "nobody_known", f"{lost.detail}, nor of any object before")
            folder.lose(name, object_id, 0, lost, self._client.now(), **labelled)
            raise lost from None
        listing = self._service.listing(object_id, reply.body)
        path, n_alerts = folder.path / folders.ANSWERS / name / f"{object_id}.json", len(listing.candid)
        folder.keep(name, object_id, 0, path, reply.body, **labelled, alerts=n_alerts, **provenance(reply))
        return listing

    def _fetch_alerts(self, object_id: str, listing: Listing) -> set[str]:
        """Fetch the packets of an object that are wanted and not here; returns the outcomes.

        Where the service has none of an alert, or one that `data build` drops, that goes on to the next one: so does
        the choice of the first few.
        """
        outcomes: dict[int, tuple[str, str]] = {}
        without: set[int] = set()
        while todo := [candid for candid in wanted(listing, self._first, without) if candid not in outcomes]:
            for candid in todo:
                packet = self._packet(object_id, candid, listing)
                is_lost = isinstance(packet, Lost)
                outcomes[candid] = (packet.outcome, packet.reason) if is_lost else (GOT, "")
                if self._first is not None and not self._holds_its_place(packet):
                    without.add(candid)
                    break
        for outcome, reason in outcomes.values():
            self._account.count("alerts", outcome, reason)
        return {outcome for outcome, _ in outcomes.values()}

    def _holds_its_place(self, packet: bytes | Lost) -> bool:
        """Whether `data build` will make it a part of the sequence, as far as can be known: what failed may come."""
        if isinstance(packet, Lost):
            return packet.outcome != ABSENT
        is_good = is_kept(packet)
        self._account.notes["alerts that `data build` drops"] += not is_good
        return is_good

    def _packet(self, object_id: str, candid: int, listing: Listing) -> bytes | Lost:
        """A packet, which is in the folder then; or why it is not."""
        name, folder = self._service.name, self._folder
        if (content := folder.packet(object_id, candid)) is not None:
            self._account.notes["alerts that were here before"] += 1
            return content
        try:
            folder.check_absent(name, object_id, candid)
            packet = self._service.ask_packet(self._client, object_id, candid, listing)
        except Lost as lost:
            if lost.outcome == ABSENT and not folder.has_given_any(name, alerts=True):  # as with objects
                lost = Lost(FAILED, "none_given", f"{lost.detail}, nor any packet before")
            folder.lose(name, object_id, candid, lost, self._client.now())
            return lost
        path = folder.alert_path(object_id, candid)
        folder.keep(name, object_id, candid, path, packet.content, **packet.provenance)
        return packet.content


def _warnings(account: Account, client: Client, folder: Folder, names: Sequence[str]) -> Iterator[str]:
    """What the user must know, a line each."""
    if client.refusal:
        yield f"stopped early: {client.refusal}"
    there = _with_alerts(folder)
    if without := [name for name in names if name not in there]:
        shown = ", ".join(without[:N_EXAMPLES]) + (", …" if len(without) > N_EXAMPLES else "")
        yield f"objects without an alert: {len(without)} ({shown}); {folder.path / folders.JOURNAL} says why"
    if names and (n_others := len(there - {*names})):
        yield f"objects in {folder.path / folders.ALERTS} that the table does not list: {n_others}; they have no label"
    if not account.is_settled:
        yield "some did not come that may come later: the same command asks for them, and for nothing else"
