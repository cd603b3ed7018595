"""Whose answers a folder holds: files of two groups, clusters or forms would replace or double each other there.

Files are named by the offset they begin with. For the members of one group these are the same, as only one of them has
a partition at a time; another group cuts the stream elsewhere, and in another cluster an offset is another message. A
new version of a model, or another model, goes on where the group was: every answer says which it is.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jtss import files
from jtss.errors import InputError
from jtss.invocation import option

FILE = ".jtss.json"  # hidden: those who read all files of a folder pass it over


class Owner(NamedTuple):
    """Who writes answers.

    Attributes:
        cluster: identity of a Kafka cluster, whatever its address; None: it has none.
        group: of consumers.
        form: of the answers.
    """

    cluster: str | None
    group: str
    form: str


def claim(folder: Path, owner: Owner) -> None:
    """Make a folder that of an owner, who may have it already; of several that ask at one moment the first gets it.

    Raises:
        InputError: it is another's.
        OSError: it cannot be made, written or read.
    """
    files.require_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if not path.exists():
        unfinished = files.partial(path)
        try:
            with files.naming(path):
                unfinished.write_text(json.dumps(owner._asdict()) + "\n")
                files.flush(unfinished)
                with suppress(FileExistsError):
                    os.link(unfinished, path)  # unlike renaming, this leaves what another has put there meanwhile
                files.flush(folder)
        finally:
            unfinished.unlink(missing_ok=True)
    other = _read(path)
    if other != owner:
        different = [
            f"{name} {was}, not {wanted}"
            for name, was, wanted in zip(Owner._fields, other, owner, strict=True)
            if was != wanted
        ]
        raise InputError(f"{option('out')}: {folder} holds answers of the {', the '.join(different)}; choose another")


def _read(path: Path) -> Owner:
    try:
        return Owner(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}; expected the cluster, group and form of the answers beside it") from error
