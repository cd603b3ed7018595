"""What is read goes to disk until it is known which detections are kept; memory holds a few numbers each."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.decode import KEY, ROW, Decoded
from data_prep.ledger import Rejection


class Spool:
    """A file of rows of fixed size, written once in the order of reading, then read row by row in any order.

    In memory: 30 bytes a detection, twice that while `index` joins the parts, and about 200 an object for its name. The
    file is read, not mapped: mapped pages would count as the process's memory. The source of each row goes to a second
    file that is only read front to back.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = open(Path(folder, "rows"), "w+b", buffering=0)  # noqa: SIM115 - open as long as the spool
        self._sources = open(Path(folder, "sources"), "w+", encoding="utf-8")  # noqa: SIM115
        self._codes: dict[str, int] = {}
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.n_rows = 0

    def close(self) -> None:
        self._file.close()
        self._sources.close()

    def append(self, decoded: Decoded) -> None:
        """Add detections.

        Raises:
            OSError: the disk is full; names the folder and the size.
        """
        codes = [self._codes.setdefault(name, len(self._codes)) for name in decoded.object_ids]
        self._parts.append((decoded.keys, np.array(codes, np.int32)))
        self.n_rows += len(codes)
        try:
            _write_all(self._file.fileno(), decoded.rows.view(np.uint8).data)
            self._sources.writelines(f"{json.dumps(source)}\n" for source in decoded.sources)
        except OSError as error:
            size = self._file.tell() / 1e9
            raise OSError(
                f"{self._file.name}: cannot grow beyond {size:.1f} GB ({os.strerror(error.errno)})"
            ) from error

    def index(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Keys [M] KEY, rank [M] of the object among the sorted names, and these names; once, at the end."""
        keys = np.concatenate([np.zeros(0, KEY), *(keys for keys, _ in self._parts)])
        codes = np.concatenate([np.zeros(0, np.int32), *(codes for _, codes in self._parts)])
        self._parts.clear()
        names = sorted(self._codes)
        rank = np.empty(len(names), np.int32)
        rank[[self._codes[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        return keys, rank[codes], names

    def read(self, indices: np.ndarray) -> np.ndarray:
        """[k] ROW: the rows of these indices."""
        rows = np.empty(len(indices), ROW)
        for place, index in enumerate(indices):
            data = os.pread(self._file.fileno(), ROW.itemsize, int(index) * ROW.itemsize)
            rows[place] = np.frombuffer(data, ROW)[0]
        return rows

    def sources(self) -> Iterator[str]:
        """The source of each row, in order."""
        self._sources.seek(0)
        return (json.loads(line) for line in self._sources)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class RejectionLog:
    """Rejections on disk: a night of broken packets must not fill the memory."""

    def __init__(self, folder: str | Path) -> None:
        self._file = open(Path(folder, "rejections"), "w+", encoding="utf-8")  # noqa: SIM115 - open as long as the log

    def close(self) -> None:
        self._file.close()

    def add(self, rejection: Rejection) -> None:
        self._file.write(json.dumps(rejection) + "\n")

    def read(self) -> Iterator[Rejection]:
        self._file.flush()
        with open(self._file.name, encoding="utf-8") as file:
            for line in file:
                yield Rejection(*json.loads(line))
