"""Alert packets as ZTF sends them: one Avro record with three gzipped FITS cutouts.

The schema is our own statement of the public one (version 3.3): names, types and which fields may be null. The order of
fields is ours. The same input gives the same bytes.
"""

import io
import zlib
from collections.abc import Mapping, Sequence

import fastavro
import numpy as np

SCHEMA_VERSION = "3.3"
PUBLISHER = "jtss simulator"
SYNC_MARKER = b"simulated alerts"  # any 16 bytes
FITS_BLOCK = 2880
CHANNELS = ("Science", "Template", "Difference")

REQUIRED = {
    "double": "jd ra dec ranr decnr jdstartref jdendref",
    "float": "magpsf sigmapsf",
    "int": "fid programid ndethist ncovhist nmtchps nframesref nmatches",
    "long": "pid candid rfid",
    "string": "isdiffpos rbversion drbversion",
}
NULLABLE = {
    "double": "jdstarthist jdendhist scorr",
    "float": (
        "diffmaglim xpos ypos chipsf magap sigmagap distnr magnr sigmagnr chinr sharpnr sky magdiff fwhm classtar "
        "mindtoedge magfromlim seeratio aimage bimage aimagerat bimagerat elong rb ssdistnr ssmagnr sumrat magapbig "
        "sigmagapbig sgmag1 srmag1 simag1 szmag1 sgscore1 distpsnr1 sgmag2 srmag2 simag2 szmag2 sgscore2 distpsnr2 "
        "sgmag3 srmag3 simag3 szmag3 sgscore3 distpsnr3 dsnrms ssnrms dsdiff magzpsci magzpsciunc magzpscirms clrcoeff "
        "clrcounc zpclrcov zpmed clrmed clrrms neargaia neargaiabright maggaia maggaiabright exptime drb"
    ),
    "int": "nid rcid field nneg nbad tooflag",
    "long": "tblid objectidps1 objectidps2 objectidps3",
    "string": "pdiffimfilename programpi ssnamenr",
}
PREVIOUS_REQUIRED = ("jd", "fid", "pid", "programid")
NOT_IN_PREVIOUS = (
    "jdstartref jdendref jdstarthist jdendhist ndethist ncovhist nmtchps nframesref nmatches rfid tooflag objectidps1 "
    "objectidps2 objectidps3 drbversion sgmag1 srmag1 simag1 szmag1 sgscore1 distpsnr1 sgmag2 srmag2 simag2 szmag2 "
    "sgscore2 distpsnr2 sgmag3 srmag3 simag3 szmag3 sgscore3 distpsnr3 dsnrms ssnrms dsdiff zpclrcov zpmed clrmed "
    "clrrms neargaia neargaiabright maggaia maggaiabright exptime drb"
)
BLANKS = {"double": 0.0, "float": 0.0, "int": 0, "long": 0, "string": ""}  # for required fields that are not given


def _candidate_types() -> dict[str, tuple[str, bool]]:
    """{field: (type, required)} of the candidate record."""
    tables = ((REQUIRED, True), (NULLABLE, False))
    return {name: (kind, must) for table, must in tables for kind, names in table.items() for name in names.split()}


CANDIDATE_TYPES = _candidate_types()


def alert_schema() -> dict:
    """The Avro schema of an alert packet, as nested dicts.

    ZTF alert schema 3.3.
    """

    def field(name: str, kind: str, required: bool) -> dict:
        return {"name": name, "type": kind} if required else {"name": name, "type": [kind, "null"], "default": None}

    candidate = [field(name, kind, required) for name, (kind, required) in CANDIDATE_TYPES.items()]
    previous = [
        field(name, kind, name in PREVIOUS_REQUIRED)
        for name, (kind, _) in CANDIDATE_TYPES.items()
        if name not in NOT_IN_PREVIOUS.split()
    ]
    cutout_fields = [{"name": "fileName", "type": "string"}, {"name": "stampData", "type": "bytes"}]
    cutout = {"type": "record", "name": "ztf.alert.cutout", "fields": cutout_fields}
    previous_record = {"type": "record", "name": "ztf.alert.prv_candidate", "fields": previous}
    fields = [
        {"name": "schemavsn", "type": "string"},
        {"name": "publisher", "type": "string"},
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {"name": "candidate", "type": {"type": "record", "name": "ztf.alert.candidate", "fields": candidate}},
        {"name": "prv_candidates", "type": [{"type": "array", "items": previous_record}, "null"], "default": None},
    ]
    kinds = (cutout, cutout["name"], cutout["name"])  # defined once, then named
    fields += [
        {"name": f"cutout{channel}", "type": [kind, "null"], "default": None}
        for channel, kind in zip(CHANNELS, kinds, strict=True)
    ]
    return {"type": "record", "name": "ztf.alert", "fields": fields}


PARSED_SCHEMA = fastavro.parse_schema(alert_schema())


def encode_cutout(image: np.ndarray) -> bytes:
    """Write a stamp as gzipped FITS.

    Args:
        image: [H, W] pixel values; stored as float32, NaN and fill values as they are.

    Returns:
        One gzip member (time 0, so the same image gives the same bytes).

    FITS standard 4.0.
    """
    height, width = image.shape
    values = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 2, "NAXIS1": width, "NAXIS2": height}
    cards = [f"{name:<8}= {value:>20}".ljust(80) for name, value in values.items()]
    header = "".join([*cards, "BUNIT   = 'DN      '".ljust(80), "END"]).ljust(FITS_BLOCK).encode("ascii")
    pixels = np.ascontiguousarray(image, ">f4").tobytes()
    # Noise holds no repeated strings: not searching for them is nearly twice as fast and no larger. zlib writes time 0.
    deflater = zlib.compressobj(1, wbits=31, strategy=zlib.Z_RLE)
    return deflater.compress(header + pixels + bytes(-len(pixels) % FITS_BLOCK)) + deflater.flush()


def packet(
    object_id: str,
    candid: int,
    candidate: Mapping,
    stamps: Sequence[np.ndarray | None],
    previous: Sequence[Mapping] | None = None,
) -> dict:
    """Put one alert together.

    Args:
        object_id: objectId.
        candid: candid, of the alert and of its candidate record.
        candidate: values by ZTF's field names; those left out are null, or 0 or "" where the schema has no null.
        stamps: science, template, difference [H, W]; None for a cutout that is missing.
        previous: candidate values of earlier detections, and of exposures without one; None is written as null.

    Returns:
        A record of `alert_schema`.

    Raises:
        ValueError: a candidate field that the schema does not have.

    ZTF alert schema 3.3.
    """
    unknown = candidate.keys() - CANDIDATE_TYPES.keys()
    if unknown:
        raise ValueError(f"{object_id} {candid}: candidate has no fields {sorted(unknown)} in the ZTF schema")
    blank = {name: BLANKS[kind] for name, (kind, required) in CANDIDATE_TYPES.items() if required}
    cutouts = zip(CHANNELS, stamps, strict=True)
    return {
        "schemavsn": SCHEMA_VERSION,
        "publisher": PUBLISHER,
        "objectId": object_id,
        "candid": candid,
        "candidate": blank | {"candid": candid} | dict(candidate),
        "prv_candidates": None if previous is None else [_previous(earlier) for earlier in previous],
        **{f"cutout{channel}": _cutout(channel, candid, stamp) for channel, stamp in cutouts},
    }


def _cutout(channel: str, candid: int, stamp: np.ndarray | None) -> dict | None:
    if stamp is None:
        return None
    return {"fileName": f"candid{candid}_{channel.lower()}.fits.gz", "stampData": encode_cutout(stamp)}


def _previous(candidate: Mapping) -> dict:
    """The fields of a candidate that its later alerts repeat."""
    blank = {name: BLANKS[CANDIDATE_TYPES[name][0]] for name in PREVIOUS_REQUIRED}
    return blank | {name: value for name, value in candidate.items() if name not in NOT_IN_PREVIOUS.split()}


def encode_file(records: Sequence[Mapping], codec: str = "null") -> bytes:
    """Write records as one Avro file.

    Args:
        records: from `packet`, or anything that fits `alert_schema`.
        codec: null, deflate or snappy.

    Returns:
        The bytes of an Avro object container file.

    Apache Avro 1.11 specification.
    """
    file = io.BytesIO()
    fastavro.writer(file, PARSED_SCHEMA, records, codec=codec, sync_marker=SYNC_MARKER)
    return file.getvalue()
