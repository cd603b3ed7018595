"""Which files there are: folders, here or elsewhere, walked in a fixed order.

Hidden files (named .x, as are our own temporary ones) and what a system adds to folders and archives of its own are
passed over, as the shell's *.avro does. Nothing is opened here: a file is read where its alerts are decoded.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from data_prep import remote
from data_prep.ledger import Rejection

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
AVRO_SUFFIX = ".avro"
AVRO_SUFFIXES = (AVRO_SUFFIX, ".avro.gz")
COMPRESSED_AVRO = (".avro.bz2", ".avro.xz", ".avro.zst")
READABLE_SUFFIXES = (*AVRO_SUFFIXES, *ARCHIVE_SUFFIXES)
OTHER_ARCHIVES = (".zip", ".7z", ".rar", ".tar.zst", ".tzst", ".tar.z", ".tar.lz4", *COMPRESSED_AVRO)
SMALL_BYTES = 4 << 20  # some 50 alerts; a file of one has 40 to 100 kB
MAX_DEPTH = 64  # of folders elsewhere, where a link in a circle cannot be told from a folder

# Parts of a path: what macOS adds to folders and archives, and where old programs put the headers of pax archives.
OF_THE_SYSTEM = re.compile(r"\..*|__MACOSX|@?PaxHeaders?(\.\d+)?|GNUSparseFile\.\d+|lost\+found")


class File(NamedTuple):
    """A file that may hold alerts and is not opened yet.

    Attributes:
        source: what to call it: its path, or a URL without what is secret, as it was given.
        size: [bytes], when it was found; None where that is not known.
        path: where it is, for processes that work in another folder; or what its file system calls it.
        url: of which file system and by which credentials, not to be shown; "": it is here.
    """

    source: str
    size: int | None
    path: str
    url: str = ""

    @property
    def name(self) -> str:
        """By which to tell what it is, in small letters."""
        return self.source.removesuffix(remote.HIDDEN_QUERY).lower()

    @property
    def is_archive(self) -> bool:
        """Whether, by its name, it is an archive, of a kind that is read or another."""
        return self.name.endswith((*ARCHIVE_SUFFIXES, *OTHER_ARCHIVES))

    @property
    def is_refused(self) -> bool:
        """Whether, by its name, it is of a kind that is not read."""
        return self.name.endswith(OTHER_ARCHIVES)

    @property
    def is_small(self) -> bool:
        """Whether it can be read at once, by the process that decodes it."""
        return not self.is_archive and (self.size is None or self.size <= SMALL_BYTES)


def is_passed_over(name: str) -> bool:
    """Whether a file's path, relative to what was given, is hidden or of a system's own."""
    return any(OF_THE_SYSTEM.fullmatch(part) for part in name.split("/") if part not in ("", ".", ".."))


def find(place: str | os.PathLike, passed_over: Collection[Path | str] = ()) -> Iterator[File | Rejection]:
    """The files that may hold alerts below a path or a URL, in a fixed order.

    Args:
        place: a directory, searched to any depth, or a file, whatever its name.
        passed_over: resolved paths, or URLs, of files that are no alerts, as those that the program reads or writes
            besides.

    Yields:
        Files, and a Rejection for what is none: unreadable, not_a_file; of 0 alerts other_file for each file that is
        not an alert by its name, and empty_folder.

    Raises:
        FileNotFoundError: there is nothing.
        InputError: there is no way to read the URL.
    """
    if remote.is_url(place):
        return _find_elsewhere(remote.Site(place), passed_over)
    path = remote.path_of(place)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory (expected alert packets)")
    return _walk(path, {str(other) for other in passed_over}) if path.is_dir() else iter([_look_at(str(path))])


def _walk(folder: Path, passed_over: Collection[str]) -> Iterator[File | Rejection]:
    errors: list[OSError] = []
    is_empty = True
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not is_passed_over(name))
        links = {name for name in folders if os.path.islink(os.path.join(parent, name))}  # they may form circles
        within, real = str(Path(parent)), os.path.realpath(parent)
        for name in sorted({*names, *links}):
            path = os.path.join(within if within != "." else "", name)
            if is_passed_over(name) or (passed_over and _real(path, os.path.join(real, name)) in passed_over):
                continue
            is_empty = False
            if name in links:
                yield Rejection("other_file", "a link to a folder, not followed", path, n_alerts=0)
            else:
                yield _look_at(path) if _may_hold_alerts(name) else _not_an_alert(path)
    for error in errors:
        yield Rejection("unreadable", str(error), str(error.filename), n_alerts=0)
    if is_empty and not errors:
        yield _empty(str(folder))


def _real(path: str, unless_link: str) -> str:
    """Where a path leads, given that of its folder: to follow each of its parts takes as long as to read a file."""
    return os.path.realpath(path) if os.path.islink(path) else unless_link


def _look_at(path: str) -> File | Rejection:
    try:
        status = os.stat(path)
    except OSError as error:
        return Rejection("unreadable", str(error), path)
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
        return Rejection("not_a_file", "not a regular file", path)
    return File(path, status.st_size, os.path.abspath(path))


def _find_elsewhere(site: remote.Site, passed_over: Collection[Path | str]) -> Iterator[File | Rejection]:
    given = site.look()
    if not given.is_folder:
        return iter([File(site.shown, given.size, given.path, site.url)])
    others = {remote.Site(other).root for other in passed_over if remote.is_url(other)}
    return _walk_elsewhere(site, given.path, others)


def _walk_elsewhere(site: remote.Site, root: str, passed_over: Collection[str]) -> Iterator[File | Rejection]:
    """As `_walk`, in the same order."""
    folders = [(root, site.shown.rstrip("/"), 0)]
    errors: list[Rejection] = []
    is_empty = True
    while folders:
        folder, within, depth = folders.pop()
        inside = []
        try:
            entries = site.entries(folder)
        except OSError as error:
            errors.append(Rejection("unreadable", str(error), within, n_alerts=0))
            continue
        for entry in entries:
            source = f"{within}/{entry.name}"
            if is_passed_over(entry.name) or entry.path in passed_over:
                continue
            if entry.is_folder and not entry.is_link and depth < MAX_DEPTH:
                inside.append((entry.path, source, depth + 1))
                continue
            is_empty = False
            if entry.is_folder:
                why = "a link to a folder" if entry.is_link else f"a folder in {MAX_DEPTH} others"
                yield Rejection("other_file", f"{why}, not followed", source, n_alerts=0)
            elif not _may_hold_alerts(entry.name):
                yield _not_an_alert(source)
            elif not entry.is_file:
                yield Rejection("not_a_file", "not a regular file", source)
            else:
                yield File(source, entry.size, entry.path, site.url)
        folders.extend(reversed(inside))
    yield from errors
    if is_empty and not errors:
        yield _empty(site.shown)


def _may_hold_alerts(name: str) -> bool:
    return name.removesuffix(remote.HIDDEN_QUERY).lower().endswith((*READABLE_SUFFIXES, *OTHER_ARCHIVES))


def _not_an_alert(source: str) -> Rejection:
    return Rejection("other_file", f"not {AVRO_SUFFIX} or an archive", source, n_alerts=0)


def _empty(source: str) -> Rejection:
    return Rejection("empty_folder", "no file in it", source, n_alerts=0)
