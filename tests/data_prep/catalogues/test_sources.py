"""Catalogues as they are downloaded: the forms of their files, and what is wrong with one by name."""

import zipfile

import numpy as np
import pytest
from astropy.table import Table

from data_prep.catalogues import sources
from data_prep.catalogues.sources import SOURCES, columns_of
from jtss.errors import InputError

BTS = """ZTFID,IAUID,RA,Dec,peakt,peakfilt,peakmag,peakabs,duration,rise,fade,type,redshift,b,A_V
ZTF18aaaaaaa,SN2018x,10:12:30.52,+12:30:01.2,400.1,r,18.2,-19.1,20,10,>10,SN Ia,0.05,40.1,0.1
ZTF18aaaaaab,-,10:12:30.52,+12:30:01.2,401.1,g,18.9,-,12,-,12,-,-,41,0.2
"""
TNS = '''"2026-11-29 00:00:00"
"objid","name_prefix","name","ra","declination","redshift","typeid","type","reporters","internal_names"
"1","SN","2019abc","210.5","-3.25","0.02","3","SN Ia","A. Person, ""B""","ATLAS19xyz, ZTF19aaaaaaa,ZTF19bbbbbbb"
"2","AT","2020def","11.0","41.2","","","","C","ZTF20aaaaaaa"
"3","SN","2021ghi","12.0","42.0","","10","SN II","D","ATLAS21aaa"
'''
MILLIQUAS = (
    "  1.5000000  -2.2500000  SDSS J0006-0215           QRX  18.1 18.9  g   - - 1.234 DR16Q  DR16Q\n"
    "359.9999000  89.5000000  NGC 1                     Ax   14.0 15.0  p   - 1 0.012 X      X\n"
)


def saved(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_the_bright_transient_survey_names_its_objects(tmp_path):
    """Its positions are in hours, minutes and seconds, and are not needed."""
    found = sources.read("bts", saved(tmp_path, "BTS.csv", BTS), {})
    assert found.object_ids == [["ZTF18aaaaaaa"], ["ZTF18aaaaaab"]]
    assert found.label.to_pylist() == ["SN Ia", "-"]
    assert found.name.to_pylist() == ["SN2018x", "-"]


@pytest.mark.parametrize("packed", [False, True])
def test_the_transient_name_server_has_a_title_and_names_among_others(tmp_path, packed):
    path = saved(tmp_path, "tns.csv", TNS)
    if packed:
        with zipfile.ZipFile(tmp_path / "tns.csv.zip", "w") as archive:
            archive.write(path, "tns_public_objects.csv")
        path = tmp_path / "tns.csv.zip"
    found = sources.read("tns", path, {})
    assert found.object_ids == [["ZTF19aaaaaaa", "ZTF19bbbbbbb"], ["ZTF20aaaaaaa"], []]
    assert found.label.to_pylist() == ["SN Ia", "", "SN II"]
    assert found.name.to_pylist() == ["2019abc", "2020def", "2021ghi"]
    assert (found.ra[2], found.dec[2]) == (12.0, 42.0)


def test_milliquas_as_text_as_its_archive_and_as_fits(tmp_path):
    text = saved(tmp_path, "milliquas.txt", MILLIQUAS)
    with zipfile.ZipFile(tmp_path / "milliquas.zip", "w") as archive:
        archive.write(text, "milliquas.txt")
    columns = {"RA": [1.5, 359.9999], "DEC": [-2.25, 89.5], "NAME": ["SDSS J0006-0215", "NGC 1"], "TYPE": ["QRX", "Ax"]}
    Table(columns).write(tmp_path / "milliquas.fits")
    for name in ("milliquas.txt", "milliquas.zip", "milliquas.fits"):
        found = sources.read("milliquas", tmp_path / name, {})
        assert (found.ra.tolist(), found.dec.tolist()) == (columns["RA"], columns["DEC"])
        assert (found.label.to_pylist(), found.name.to_pylist()) == (columns["TYPE"], columns["NAME"])
        assert found.object_ids is None
    saved(tmp_path, "milliquas.txt", MILLIQUAS.replace(" Ax ", "    "))
    with pytest.raises(InputError, match=r"milliquas.txt, line 2: '' in columns 52 to 55, expected label; of another"):
        sources.read("milliquas", text, {})


@pytest.mark.parametrize(
    ("source", "columns", "expected"),
    [
        ("vsx", {"OID": [1], "Name": ["V1"], "RAJ2000": [1.0], "DEJ2000": [2.0], "Type": ["EA|EB"]}, "EA|EB"),
        ("gaia", {"Source": [7], "RA_ICRS": [1.0], "DE_ICRS": [2.0], "Class": ["RR"]}, "RR"),
        ("gaia", {"source_id": [7], "ra": [1.0], "dec": [2.0], "best_class_name": ["RR"]}, "RR"),
        (
            "gcvs",
            {"GCVS": ["R And"], "_RAJ2000": [1.0], "_DEJ2000": [2.0], "RAJ2000": ["0 4 0"], "VarType": ["M"]},
            "M",
        ),
        ("simbad", {"main_id": ["x"], "ra": [1.0], "dec": [2.0], "main_type": ["QSO"], "otype": ["QSO"]}, "QSO"),
        ("fink", {"i:objectId": ["ZTF1"], "i:ra": [1.0], "i:dec": [2.0], "v:classification": ["QSO"]}, "QSO"),
    ],
)
@pytest.mark.parametrize("extension", ["csv", "vot"])
@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.W03")  # Fink's names; xdist cannot pass it on
def test_catalogues_by_position(tmp_path, extension, source, columns, expected):
    path = tmp_path / f"cat.{extension}"
    Table(columns).write(path, format={"vot": "votable"}.get(extension))
    found = sources.read(source, path, {})
    assert (found.ra.tolist(), found.dec.tolist(), found.label.to_pylist()) == ([1.0], [2.0], [expected])


def test_the_labelled_set_of_alerce_names_its_objects(tmp_path):
    path = saved(
        tmp_path, "labels.csv", "oid,classALeRCE,ra,dec,period,source,id_source\nZTF17a,EB/EW,1,2,0.3,CRTS,7\n"
    )
    found = sources.read("alerce", path, {})
    assert (found.object_ids, found.label.to_pylist()) == ([["ZTF17a"]], ["EB/EW"])


def test_a_catalogue_that_says_not_which_objects_is_refused_with_the_remedy(tmp_path):
    path = saved(tmp_path, "gaia.csv", "source_id,best_class_name\n1,RR\n")
    with pytest.raises(InputError, match=r"gaia.csv: no column objectId or oid .* join it to gaia_source by source_id"):
        sources.read("gaia", path, {})
    with pytest.raises(InputError, match=r"gaia.csv: no column type or vartype; found source_id, best_class_name"):
        sources.read("vsx", path, {})


def test_columns_have_the_names_that_users_give(tmp_path):
    path = saved(tmp_path, "my.csv", "ztf,kind,type\nZTF1,SN II,x\n")
    found = sources.read("tns", path, {"objectId": "ztf", "label": "kind"})
    assert found.label.to_pylist() == ["SN II"]
    assert columns_of(["label=kind,objectId=ztf"], ["tns"]) == {"tns": {"label": "kind", "objectId": "ztf"}}
    given = ["tns:label=kind", "objects:objectId=ztf", "tns:name=x:y"]
    assert columns_of(given, ["tns", "bts"]) == {
        "tns": {"label": "kind", "name": "x:y"},
        "objects": {"objectId": "ztf"},
    }
    for text, message in (
        ("label=kind", r"expected SOURCE:label=kind, for there are several"),
        ("vsx:label=kind", r"--columns vsx:label=kind: vsx is not read; expected tns, bts, objects"),
        ("tns:kind=label", r"--columns kind=label: expected OURS=THEIRS"),
    ):
        with pytest.raises(InputError, match=message):
            columns_of([text], ["tns", "bts"])


def test_an_argument_names_a_source_and_a_file():
    assert {sources.split(f"{name}:/data/x:y.csv")[0] for name in SOURCES} == {*SOURCES}
    for text in ("tns", "tns:", "asassn:x.csv", "x.csv"):
        with pytest.raises(InputError, match=rf"--from {text}: expected SOURCE:FILE, where SOURCE is one of bts, tns,"):
            sources.split(text)


def test_objects_have_names_and_places(tmp_path):
    path = saved(tmp_path, "objects.csv", "oid,ra,dec\nZTF1,350.5,-20\nZTF2,-9.5,2\n")
    names, ra, dec = sources.objects(path, {})
    assert (names, ra.tolist(), dec.tolist()) == (["ZTF1", "ZTF2"], [350.5, -9.5], [-20.0, 2.0])
    for text, message in (
        ("ZTF1,1,2\nZTF1,3,4\n", "object ZTF1 is there twice"),
        ("ZTF1,1,\n", "row 1 is ZTF1 at ra 1, dec nan; expected a name, and a position in degrees"),
        (",1,2\n", "row 1 is of no objectId"),
        ("ZTF1,400,2\n", "row 1 is ZTF1 at ra 400"),
    ):
        with pytest.raises(InputError, match=message):
            sources.objects(saved(tmp_path, "objects.csv", "oid,ra,dec\n" + text), {})
    with pytest.raises(InputError, match=r"--columns objects:label=…: expected one of objectId, ra, dec"):
        sources.objects(path, {"label": "x"})
    assert np.isfinite(ra).all()
