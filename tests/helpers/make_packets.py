"""Alert packets for tests: plausible, small in number, and easy to break."""

import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_prep.packets.metadata import NOT_TOLD
from data_prep.simulate.packets import encode_file, packet

NO_STAMPS = [None, None, None]
CANDIDATE = {
    "jd": 2459000.7,
    "fid": 1,
    "ra": 150.0,
    "dec": 2.0,
    "xpos": 1500.0,
    "ypos": 1500.0,
    "fwhm": 2.5,
    "ndethist": 3,
    "ncovhist": 90,
    "isdiffpos": "t",
    "magpsf": 18.5,
    "sigmapsf": 0.1,
    "diffmaglim": 20.5,
    "classtar": 0.9,
    "sgscore1": 0.25,
    "distpsnr1": 3.5,
    "sgscore2": 0.5,
    "distpsnr2": 7.5,
    "sgscore3": 0.75,
    "distpsnr3": 9.5,
    "chinr": 1.5,
    "sharpnr": 0.125,
    "rb": 0.875,
    "distnr": 0.25,
    "magnr": 19.5,
}


def images(seed: int, shape: tuple[int, int] = (63, 63)) -> list[np.ndarray]:
    """Three noisy images with a source in the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] - np.array(shape)[:, None, None] // 2
    source = 500 * np.exp(-(x**2 + y**2) / 8)
    return [(rng.normal(100, 10, shape) + source).astype(np.float32) for _ in range(3)]


def alert(
    object_id: str = "ZTF18aaaaaaa",
    candid: int = 1,
    stamps: list | None = None,
    history: list | None = None,
    **candidate,
) -> dict:
    """One record; keyword arguments change the candidate."""
    stamps = images(candid) if stamps is None else stamps
    return packet(object_id, candid, CANDIDATE | candidate, stamps, history)


def detection(days: float, candid: int | None = None, **values) -> dict:
    """A row of a history: a detection so many days before the alert."""
    told = {name: value for name, value in CANDIDATE.items() if name not in NOT_TOLD}
    return told | {"jd": CANDIDATE["jd"] - days, "candid": candid} | values


def limit(days: float, **values) -> dict:
    """A row of a history: an exposure without a detection so many days before the alert."""
    return {"jd": CANDIDATE["jd"] - days, "fid": 1, "candid": None, "magpsf": None, "diffmaglim": 20.25} | values


def small(candid: int) -> dict:
    """A record without stamps."""
    return packet("ZTF18aaaaaaa", candid, CANDIDATE, NO_STAMPS)


def night() -> list[dict]:
    """Twelve good alerts: A has six detections nights apart, B three, two of them within an hour, C to E one each."""
    start = CANDIDATE["jd"]
    records = [alert("ZTF18a", 10 + i, jd=start + 2 * i) for i in range(6)]
    records += [alert("ZTF18b", 20 + i, jd=start + hours / 24, ra=359.9999) for i, hours in enumerate((0, 1, 30))]
    return records + [alert(f"ZTF18{name}", 30 + i, dec=-40.0 + i) for i, name in enumerate("cde")]


def save(folder: Path, records: list[dict]) -> Path:
    """One Avro file for each record."""
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        (folder / f"{record['objectId']}_{record['candid']}.avro").write_bytes(encode_file([record]))
    return folder


def save_tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar archive, gzipped if it is named so."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def with_cutout(record: dict, change: Callable[[bytes], bytes], channel: str = "Template") -> dict:
    """The record with the gzipped FITS of one cutout changed."""
    cutout = record[f"cutout{channel}"]
    return record | {f"cutout{channel}": cutout | {"stampData": change(cutout["stampData"])}}


def with_fits(record: dict, old: bytes, new: bytes) -> dict:
    """The record with the FITS bytes of the template changed under a good gzip."""
    return with_cutout(record, lambda blob: gzip(zlib.decompress(blob, 31).replace(old, new)))


def gzip(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=31)
    return deflater.compress(data) + deflater.flush()
