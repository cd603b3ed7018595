"""What is read of alerts, on disk until it is known which of them are kept, and in memory next to nothing."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.packets.decode import KEY, ROW, Decoded
from data_prep.packets.history import NOTE, TOLD

# What is needed of a detection to choose among those of its object, and where the rest of it begins.
ENTRY = np.dtype(
    [
        *KEY.descr,
        ("code", "<i4"),  # of its object, in the order of reading
        ("told", "<i8"),  # number of its first row among those of histories
        ("noted", "<i8"),  # number of its first note
        ("n_noted", "u2"),
    ]
)
ENTRIES_AT_ONCE = 1 << 16  # 5 MB


class Spool:
    """Files of rows of fixed size, written once in the order of reading, then read row by row in any order.

    In memory: about 200 bytes an object for its name. The files are read, not mapped: mapped pages would count as the
    process's memory.
    """

    def __init__(self, folder: str | Path) -> None:
        self._rows, self._entries, self._told, self._notes = (
            open(Path(folder, name), "w+b", buffering=0)  # noqa: SIM115 - open as long as the spool
            for name in ("rows", "entries", "told", "notes")
        )
        self._sources = open(Path(folder, "sources"), "w+", encoding="utf-8")  # noqa: SIM115
        self._codes: dict[str, int] = {}
        self.n_rows, self._n_told, self._n_notes = 0, 0, 0

    def close(self) -> None:
        for file in (self._rows, self._entries, self._told, self._notes, self._sources):
            file.close()

    def append(self, decoded: Decoded) -> None:
        """Add detections.

        Raises:
            OSError: the disk is full; names the folder and the size.
        """
        notes = decoded.notes[np.argsort(decoded.notes["packet"], kind="stable")]
        of_files = {
            self._rows: decoded.rows,
            self._entries: self._entries_of(decoded),
            self._told: decoded.told,
            self._notes: notes,
        }
        try:
            for file, rows in of_files.items():
                _write_all(file.fileno(), rows.view(np.uint8).data)
            self._sources.writelines(f"{json.dumps(source)}\n" for source in decoded.sources)
        except OSError as error:
            size = sum(file.tell() for file in of_files) / 1e9
            reason = os.strerror(error.errno)
            raise OSError(f"{self._rows.name}: cannot grow beyond {size:.1f} GB ({reason})") from error
        self.n_rows += len(decoded.keys)
        self._n_told += len(decoded.told)
        self._n_notes += len(notes)

    def _entries_of(self, decoded: Decoded) -> np.ndarray:
        entries = np.zeros(len(decoded.keys), ENTRY)
        for name in KEY.names:
            entries[name] = decoded.keys[name]
        entries["code"] = [self._codes.setdefault(name, len(self._codes)) for name in decoded.object_ids]
        entries["n_noted"] = np.bincount(decoded.notes["packet"], minlength=len(entries))
        for name, of_each, n_before in (("told", "n_told", self._n_told), ("noted", "n_noted", self._n_notes)):
            count = entries[of_each].astype(np.int64)
            entries[name] = n_before + np.cumsum(count) - count
        return entries

    def objects(self) -> tuple[np.ndarray, list[str]]:
        """Rank [M] int32 of each detection's object among the sorted names, and these names; once, at the end."""
        names = sorted(self._codes)
        rank = np.empty(len(names), np.int32)
        rank[np.fromiter((self._codes[name] for name in names), np.int32, len(names))] = np.arange(len(names))
        self._codes.clear()
        ranks = np.empty(self.n_rows, np.int32)
        for first, entries in self.entries_in_order():
            ranks[first : first + len(entries)] = rank[entries["code"]]
        return ranks, names

    def entries_in_order(self) -> Iterator[tuple[int, np.ndarray]]:
        """ENTRY of every detection in the order of reading, some at a time, each time with the number of the first."""
        for first in range(0, self.n_rows, ENTRIES_AT_ONCE):
            yield first, self._run(self._entries, ENTRY, first, min(ENTRIES_AT_ONCE, self.n_rows - first))

    def entries(self, indices: np.ndarray) -> np.ndarray:
        """[k] ENTRY of the detections of these indices."""
        return self._at(self._entries, ENTRY, indices)

    def read(self, name: str, indices: np.ndarray) -> np.ndarray:
        """[k, ...]: a field of ROW of the rows of these indices."""
        field, offset = ROW.fields[name]
        return self._at(self._rows, field, indices, ROW.itemsize, offset)

    def read_told(self, entries: np.ndarray) -> np.ndarray:
        """TOLD: what the packets of detections (ENTRY) tell, one after the other."""
        return self._runs(self._told, TOLD, entries["told"], entries["n_told"])

    def notes(self, entries: np.ndarray) -> np.ndarray:
        """NOTE: what is wrong with the histories of the packets of detections (ENTRY), by their place among these."""
        count = entries["n_noted"].astype(np.int64)
        notes = self._runs(self._notes, NOTE, entries["noted"], count)
        notes["packet"] = np.repeat(np.arange(len(entries)), count)
        return notes

    def sources(self) -> Iterator[str]:
        """The source of each row, in order."""
        self._sources.seek(0)
        return (json.loads(line) for line in self._sources)

    def _at(self, file, dtype: np.dtype, indices: np.ndarray, row_size: int = 0, offset: int = 0) -> np.ndarray:
        """Rows, or a field of rows of a size, of these indices."""
        values = np.empty((len(indices), dtype.itemsize), np.uint8)
        starts = indices.astype(np.int64) * (row_size or dtype.itemsize) + offset
        for place, start in zip(values, starts.tolist(), strict=True):
            _read_into(file, place.data, start)
        shape = (len(indices), *dtype.shape)
        return values.reshape(-1).view(dtype.base).reshape(shape)

    def _run(self, file, dtype: np.dtype, first: int, count: int) -> np.ndarray:
        return self._runs(file, dtype, np.array([first]), np.array([count]))

    def _runs(self, file, dtype: np.dtype, start: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Rows one after the other, from where they begin and how many they are."""
        count = count.astype(np.int64)
        rows, end = np.empty(count.sum(), dtype), np.cumsum(count)
        data = memoryview(rows.view(np.uint8))
        places = zip(*((column * dtype.itemsize).tolist() for column in (start, end - count, end)), strict=True)
        for at, begin, stop in places:
            if begin < stop:
                _read_into(file, data[begin:stop], at)
        return rows


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _read_into(file, data: memoryview, start: int) -> None:
    if os.preadv(file.fileno(), [data], start) < len(data):
        raise OSError(errno.EIO, "temporary file ends early", file.name)
