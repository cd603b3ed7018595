"""Labels from catalogues: who is matched, what is agreed upon, and where every row went."""

import csv

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from data_prep import labels as label_tables
from data_prep.catalogues import labelling
from data_prep.catalogues.labelling import collect, report, write
from helpers.programs import jtss
from jtss.errors import InputError

PLACES = {"ZTF1": (10.0, 0.0), "ZTF2": (20.0, 60.0), "ZTF3": (0.0001, 5.0), "ZTF4": (40.0, 89.9), "ZTF5": (50.0, -20.0)}


@pytest.fixture
def objects(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text("objectId,ra,dec\n" + "".join(f"{name},{ra},{dec}\n" for name, (ra, dec) in PLACES.items()))
    return path


def beside(name, arcsec, angle=0.0):
    """A position so far from an object."""
    at = SkyCoord(*PLACES[name], unit="deg").directional_offset_by(angle * u.deg, arcsec * u.arcsec)
    return f"{at.ra.deg:.9f},{at.dec.deg:.9f}"


def catalogue(tmp_path, source, *rows, header="ra,dec,name,type"):
    path = tmp_path / f"{source}.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return source, path


def table(tmp_path, labels):
    write(tmp_path / "labels.csv", labels)
    with open(tmp_path / "labels.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_evidence_by_name_and_by_place(tmp_path, objects):
    """All of it, with who says it; TNS by name where it has one, else by place."""
    tns = catalogue(
        tmp_path,
        "tns",
        f"{beside('ZTF5', 900)},2019a,SN Ia,ZTF1",
        f"{beside('ZTF2', 1.0)},2019b,SN II,",
        "1,1,2019c,SN II,ZTF99",
        "1,1,2019d,SN II,",
        "1,1,2019e,,ZTF3",
        ",,2019f,SN II,",
        header="ra,declination,name,type,objectId",
    )
    vsx = catalogue(tmp_path, "vsx", f"{beside('ZTF3', 1.2)},V1,RRAB", f"{beside('ZTF4', 1.4, 77)},V2,EA", "7,7,V3,EA")
    found = collect([tns, vsx], {"tns": {"objectId": "objectId"}}, objects)
    rows = table(tmp_path, found)
    assert [tuple(row.values())[:6] for row in rows] == [
        ("ZTF1", "SN", "SN Ia", "tns", "2019a", "SN Ia"),
        ("ZTF2", "SN", "other SN", "tns", "2019b", "SN II"),
        ("ZTF3", "VS", "RR Lyrae", "vsx", "V1", "RRAB"),
        ("ZTF4", "VS", "eclipsing", "vsx", "V2", "EA"),
    ]
    assert [row["separation_arcsec"] for row in rows] == ["", "1.000", "1.200", "1.400"]
    of_tns, of_vsx = found.accounts
    assert (of_tns.used, of_tns.unclassified, of_tns.foreign, of_tns.unplaced) == (2, 1, 2, 1)
    assert (of_vsx.used, of_vsx.foreign, len(of_vsx.placed), of_vsx.ambiguous) == (2, 1, 2, 0)
    for account in found.accounts:
        parts = account.used + account.unclassified + account.foreign + account.unplaced
        assert parts == account.n_rows
    lines, warnings = report(found)
    assert '  by position, within 1.5": 5 objects asked, 2 matched (0 of them to several rows), 3 not' in lines
    assert "labelled: 4 of 5 objects: SN 2, VS 2" in lines
    assert not warnings
    assert label_tables.load(tmp_path / "labels.csv") == {"ZTF1": "SN", "ZTF2": "SN", "ZTF3": "VS", "ZTF4": "VS"}
    assert label_tables.load_subclasses(tmp_path / "labels.csv")["ZTF3"] == "RR Lyrae"


def test_matches_are_those_of_astropy(tmp_path):
    """In tight fields at the pole and beside right ascension 0; every pair within the radius counts."""
    rng = np.random.default_rng(3)
    centres = SkyCoord([0.0, 100.0], [30.0, 90.0], unit="deg")
    scattered = [
        centre.directional_offset_by(rng.uniform(0, 360, 150) * u.deg, rng.uniform(0, 20, 150) * u.arcsec)
        for centre in centres
    ]
    ra, dec = (np.concatenate([getattr(each, name).deg for each in scattered]) for name in ("ra", "dec"))
    chosen = rng.random(len(ra)) < 0.4
    (tmp_path / "objects.csv").write_text(
        "objectId,ra,dec\n" + "".join(f"Z{i},{ra[i]:.17g},{dec[i]:.17g}\n" for i in np.flatnonzero(chosen))
    )
    rows = [f"{ra[i]:.17g},{dec[i]:.17g},{i},EA" for i in np.flatnonzero(~chosen)]
    found = collect([catalogue(tmp_path, "vsx", *rows)], {}, tmp_path / "objects.csv", 2.0)
    of_objects, of_rows = (SkyCoord(ra[which], dec[which], unit="deg") for which in (chosen, ~chosen))
    index, other, apart, _ = of_rows.search_around_sky(of_objects, 2.0 * u.arcsec)
    expected = {
        (f"Z{np.flatnonzero(chosen)[i]}", str(np.flatnonzero(~chosen)[j])): distance
        for i, j, distance in zip(index, other, apart.arcsec, strict=True)
    }
    got = {(name, one.name): one.separation_arcsec for name, all_of_it in found.evidence.items() for one in all_of_it}
    assert len(expected) > 50
    assert got.keys() == expected.keys()
    assert all(abs(got[pair] - expected[pair]) < 1e-5 for pair in got)  # [arcsec] 1e-15 rad of rounding is 2e-10
    assert found.accounts[0].ambiguous == sum(np.bincount(index) > 1)


@pytest.mark.parametrize(("arcsec", "radius", "matched"), [(1.49, 1.5, 1), (1.51, 1.5, 0), (2.9, 3.0, 1)])
def test_the_radius_is_on_the_sky(tmp_path, objects, arcsec, radius, matched):
    vsx = catalogue(tmp_path, "vsx", f"{beside('ZTF4', arcsec, 40)},V,EA")
    assert len(collect([vsx], {}, objects, radius).evidence) == matched


def test_conflicts_stay_unlabelled_with_all_of_their_evidence(tmp_path, objects):
    milliquas = catalogue(
        tmp_path,
        "milliquas",
        f"{beside('ZTF1', 0.1)},Q1,QR",
        f"{beside('ZTF2', 0.1)},Q2,A",
        f"{beside('ZTF5', 0)},Q5,Q",
    )
    bts = catalogue(tmp_path, "bts", "ZTF1,SN2019a,SN Ia", "ZTF5,AT1,TDE", "ZTF3,AT2,TDE", header="ZTFID,IAUID,type")
    simbad = catalogue(
        tmp_path, "simbad", f"{beside('ZTF2', 1)},x,QSO", f"{beside('ZTF4', 1)},y,Star", header="ra,dec,main_id,otype"
    )
    found = collect([milliquas, bts, simbad], {}, objects)
    by_object = {}
    for row in table(tmp_path, found):
        by_object.setdefault(row["objectId"], []).append(row)
    said = "class in conflict: AGN by milliquas (Q1: QR); SN by bts (SN2019a: SN Ia)"
    assert [(row["label"], row["remark"]) for row in by_object["ZTF1"]] == [("conflict", said)] * 2
    assert {row["remark"] for row in by_object["ZTF5"]} == {
        "class in conflict: AGN by milliquas (Q5: Q); other by bts (AT1: TDE)"
    }
    assert {(row["label"], row["subclass"]) for row in by_object["ZTF2"]} == {("AGN", "")}
    assert by_object["ZTF2"][0]["remark"].startswith("subclass in conflict: AGN by milliquas (Q2: A); AGN by simbad")
    assert [(row["label"], row["remark"]) for row in by_object["ZTF3"]] == [("other", "tidal disruption event")]
    assert [row["remark"] for row in by_object["ZTF4"]] == ["a star or more, not of which variability"]
    lines, warnings = report(found)
    assert lines[-2:] == [
        "labelled: 1 of 5 objects: AGN 1",
        "with evidence, not labelled: 2 in conflict, 1 of a class that is none of ours, 1 of no class that is told",
    ]
    assert [text.partition(":")[0] for text in warnings] == [
        "2 objects with class in conflict stay unlabelled",
        "1 objects with subclass in conflict have a class and no subclass",
    ]
    assert "ZTF1: AGN by milliquas (Q1: QR); SN by bts (SN2019a: SN Ia)" in warnings[0]
    in_table = {"ZTF1": "conflict", "ZTF2": "AGN", "ZTF3": "other", "ZTF5": "conflict"}
    assert label_tables.load(tmp_path / "labels.csv") == in_table


@pytest.mark.parametrize(("flag", "label"), [("0", "VS"), ("", "VS"), ("1", ""), ("2", ""), ("3", "")])
def test_what_vsx_only_suspects_is_no_evidence(tmp_path, objects, flag, label):
    vsx = catalogue(tmp_path, "vsx", f"{beside('ZTF1', 0)},A,{flag},EA", header="RAJ2000,DEJ2000,Name,V,Type")
    found = collect([vsx], {}, objects)
    assert [decision.label for _, decision, _ in found.decided()] == [label]
    (row,) = table(tmp_path, found)
    assert bool(row["remark"]) == (not label)


def test_several_rows_at_one_place_are_counted_and_must_agree(tmp_path, objects):
    vsx = catalogue(
        tmp_path,
        "vsx",
        *(f"{beside('ZTF1', 0.2 * i)},A{i},EA" for i in range(3)),
        f"{beside('ZTF2', 0.1)},B0,QSO",
        f"{beside('ZTF2', 0.9)},B1,EA",
    )
    found = collect([vsx], {}, objects)
    assert found.accounts[0].ambiguous == 2
    assert {name: decision.label for name, decision, _ in found.decided()} == {"ZTF1": "VS", "ZTF2": ""}
    assert "asked, 2 matched (2 of them to several rows), 3 not" in report(found)[0][2]


def test_names_that_the_table_lacks_are_told(tmp_path):
    bts = catalogue(tmp_path, "bts", "ZTF1,a,SN X", "ZTF2,b,SN X", "ZTF3,c,New", header="ZTFID,IAUID,type")
    found = collect([bts], {}, None)
    assert [row["remark"] for row in table(tmp_path, found)] == [labelling.UNKNOWN] * 3
    warnings = report(found)[1]
    assert "3 rows with 2 names of classes that are not in the table of names: SN X (2), New (1)" in warnings[0]
    assert warnings[-1] == "no object is labelled"


def test_a_catalogue_by_position_needs_objects(tmp_path):
    with pytest.raises(InputError, match=r"vsx:.*vsx.csv: no row names a ZTF object; expected --objects"):
        collect([catalogue(tmp_path, "vsx", "1,2,V,EA")], {}, None)


def test_the_command_writes_what_build_reads_and_says_what_it_did(tmp_path, objects, capsys):
    _, path = catalogue(tmp_path, "vsx", f"{beside('ZTF1', 1)},V,EA")
    out = tmp_path / "labels.csv"
    words = ("data", "labels", "--from", f"vsx:{path}", "--objects", objects, "--out", out)
    assert jtss(*words) == 0
    said = capsys.readouterr()
    assert "labelled: 1 of 5 objects: VS 1" in said.out
    assert out.read_text().splitlines() == [
        "objectId,label,subclass,source,name,type,separation_arcsec,remark",
        "ZTF1,VS,eclipsing,vsx,V,EA,1.000,",
    ]
    assert jtss(*words) == 2
    assert jtss(*words, "--force", "--radius", "0.5") == 0
    assert "WARNING: no object is labelled" in capsys.readouterr().err
    assert jtss("data", "labels", "--from", f"vsx:{path}", "--radius", 2, "--out", tmp_path / "x.csv") == 2
    assert "--radius: only with --objects" in capsys.readouterr().err
