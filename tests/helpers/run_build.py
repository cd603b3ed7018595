"""The build command, run on a few files, and what it wrote."""

import json
from pathlib import Path

import h5py
import numpy as np

from data_prep.__main__ import main
from jtss.schema import ALERT, METADATA_NAMES


class Result:
    """A data set that was built, its ledger and its rejects."""

    def __init__(self, path: Path, rejects: Path) -> None:
        with h5py.File(path) as file:
            self.columns = {name: file[name][:] for name in file}
            self.ledger = json.loads(file.attrs["ledger"])
            self.content_hash = file.attrs["content_hash"]
        self.rejects = [json.loads(line) for line in rejects.read_text().splitlines()]
        dropped = sum(self.ledger["dropped"].values())
        assert self.ledger["read"] == self.ledger["kept"] + dropped
        assert self.ledger["kept"] == len(self.columns["stamps"])
        assert sum(reject["n_alerts"] for reject in self.rejects) == dropped

    def of_alerts(self, name: str) -> np.ndarray:
        """A column of the rows that have stamps."""
        return self.columns[name][self.columns["kind"] == ALERT]

    def metadata(self, name: str) -> np.ndarray:
        return self.columns["metadata"][:, METADATA_NAMES.index(name)]


class Builder:
    """Builds from files given by name and content, or from paths; runs the command in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n_runs = folder, 0

    def __call__(self, files: dict[str, bytes] | list[Path], *options: str) -> Result:
        folder = self.folder / f"run{self.n_runs}"
        folder.mkdir()
        self.n_runs += 1
        paths = files
        if isinstance(files, dict):
            (folder / "alerts").mkdir()
            for name, content in files.items():
                (folder / "alerts" / name).write_bytes(content)
            paths = [folder / "alerts"]
        out, rejects = folder / "out.h5", folder / "rejects.jsonl"
        arguments = ["--out", str(out), "--rejects", str(rejects), "--workers", "1", *options]
        assert main(["build", "--alerts", *map(str, paths), *arguments]) == 0
        assert {path.name for path in folder.iterdir()} - {"alerts"} == {"out.h5", "rejects.jsonl"}
        return Result(out, rejects)
