"""The table of taxonomies: whole, without contradictions, and read by the grammar of each."""

import csv
import re

import pytest

from data_prep.catalogues import taxonomy
from data_prep.catalogues.taxonomy import OTHER, Meaning, decide, meaning, table
from helpers.places import ROOT
from jtss.schema import CLASS_NAMES, CLASS_OF_SUBCLASS

ROWS = [(owner, name, each) for owner, names in table().items() for name, each in names.items()]


def test_every_name_has_a_class_of_ours_or_a_reason():
    assert {"Fink", "SIMBAD", "TNS", "BTS", "VSX", "GCVS", "Gaia", "ALeRCE", "MILLIQUAS"} == set(table())
    for owner, name, each in ROWS:
        assert each.label in (*CLASS_NAMES, OTHER, ""), (owner, name)
        assert each.label in CLASS_NAMES or each.reason, (owner, name)
        assert not each.subclass or CLASS_OF_SUBCLASS[each.subclass] == each.label, (owner, name)


def test_no_name_is_there_twice():
    """Also in another case or with other blanks, which do not count."""
    keys = [(owner, taxonomy.key(owner, name)) for owner, name, _ in ROWS]
    assert len({*keys}) == len(keys)
    path = taxonomy.files("data_prep.catalogues").joinpath("taxonomies.csv")
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(ROWS) + 1


@pytest.mark.parametrize(
    ("owner", "name", "label", "subclass"),
    [
        ("TNS", "SN Ia-91T-like", "SN", "SN Ia"),
        ("TNS", "SN IIn", "SN", "other SN"),
        ("TNS", "SN", "SN", ""),
        ("TNS", "TDE", OTHER, ""),
        ("BTS", "SN IIb", "SN", "other SN"),  # a name of TNS
        ("BTS", "AGN?", "", ""),
        ("BTS", "CV", "VS", "cataclysmic"),
        ("BTS", "CLAGN", "AGN", ""),
        ("BTS", "NLSy1?", "", ""),
        ("BTS", "Ca-rich", "SN", ""),  # of type Ia or Ib
        ("BTS", "SN II-SL", "SN", "other SN"),
        ("ALeRCE", "EB/EW", "VS", "eclipsing"),
        ("ALeRCE", "CV/Nova", "VS", "cataclysmic"),
        ("ALeRCE", "NLAGN", "AGN", ""),
        ("SIMBAD", "Seyfert_1", "AGN", "Seyfert"),
        ("SIMBAD", "QSO_Candidate", "", ""),
        ("SIMBAD", "Candidate_RRLyr", "", ""),
        ("SIMBAD", "RR?", "", ""),
        ("SIMBAD", "RR*", "VS", "RR Lyrae"),
        ("SIMBAD", "Sy*", "VS", ""),  # symbiotic; Sy1 is a Seyfert galaxy
        ("SIMBAD", "Star", "", ""),
        ("SIMBAD", "Blend", "", ""),
        ("SIMBAD", "BLLac", "AGN", "blazar"),
        ("Fink", "CataclyV*", "VS", "cataclysmic"),
        ("Fink", "(SIMBAD) EB*", "VS", "eclipsing"),
        ("Fink", "(TNS) SN Ia", "SN", "SN Ia"),
        ("Fink", "Early SN Ia candidate", "", ""),
        ("Fink", "Solar System MPC", "asteroid", ""),
        ("Gaia", "DSCT|GDOR|SXPHE", "VS", ""),
        ("Gaia", "ECL", "VS", "eclipsing"),
        ("MILLIQUAS", "QRX", "AGN", "quasar"),
        ("MILLIQUAS", "qX", "", ""),
        ("MILLIQUAS", "BR2", "AGN", "blazar"),
        ("VSX", "NA", "VS", "cataclysmic"),
        ("VSX", "UGSU+E", "VS", "cataclysmic"),
        ("VSX", "EA+DSCT", "VS", "eclipsing"),
        ("VSX", "EA/SD", "VS", "eclipsing"),
        ("VSX", "RRAB/BL", "VS", "RR Lyrae"),
        ("VSX", "SR|M", "VS", "long-period"),
        ("VSX", "SR|L|YSO", "VS", ""),
        ("VSX", "QSO|UG", "", ""),
        ("VSX", "EA|VAR", "", ""),
        ("VSX", "RRAB:", "", ""),
        ("VSX", "HMXB+BCEP:", "VS", ""),  # doubt of one of two
        ("VSX", "EA:|UG", "", ""),
        ("VSX", "V838MON", OTHER, ""),  # as a luminous red nova of TNS
        ("VSX", "VBD", "VS", ""),  # variable brown dwarfs
        ("SIMBAD", "gLS", "", ""),  # of a quasar mostly, which the lens does not contradict
        ("VSX", "UGZ/IW+VY", "VS", "cataclysmic"),  # the form has a plus
        ("GCVS", "NL+E", "VS", "cataclysmic"),
        ("GCVS", "IN(YY)", "VS", "young star"),
    ],
)
def test_names_by_the_grammar_of_their_owner(owner, name, label, subclass):
    found = meaning(owner, name)
    assert (found.label, found.subclass) == (label, subclass)
    assert found.reason or found.label


@pytest.mark.parametrize(
    ("owner", "name"), [("TNS", "SN X"), ("VSX", "EA|NEW"), ("VSX", "NEW:"), ("MILLIQUAS", "Z"), ("Fink", "(TNS) New")]
)
def test_a_name_that_is_not_in_the_table_is_none(owner, name):
    assert meaning(owner, name) is None


SHARED = ROOT.parent / "shared" / "ztf" / "labels.csv"
SAID_BY = {
    "Fink cdsxmatch(SIMBAD)": "Fink",
    "Fink vsx": "VSX",
    "Fink gcvs": "GCVS",
    "Fink tns": "TNS",
    "Fink tnsclass": "TNS",
    "Fink gaiaClass": "Gaia",
    "BTS spectroscopic type (skyportal/applecider cider_BTS.csv)": "BTS",
}


@pytest.mark.skipif(not SHARED.is_file(), reason="needs the real alerts")
def test_real_names_mean_what_the_evidence_for_real_alerts_was_taken_for():
    """Which somebody else read, name by name, for the labels of the real alerts; candidates have none here."""
    n_same, n_silent = 0, 0
    with SHARED.open(newline="") as file:
        evidence = [each for row in csv.DictReader(file) for each in row["label_source"].split("; ")]
    for each in evidence:
        match = re.fullmatch(r"\[\w+(?:-\w+)?:?(\w*)\] (.*?)=(.*)", each)
        if match is None or match[2] not in SAID_BY:
            continue
        found = meaning(SAID_BY[match[2]], match[3])
        assert found is not None, each
        assert found.label in ("", {"TDE": OTHER}.get(match[1], match[1])), each
        n_same += bool(found.label)
        n_silent += not found.label
    assert n_same > 300
    assert n_silent < 100


@pytest.mark.parametrize(
    ("meanings", "label", "subclass", "conflict"),
    [
        ([Meaning("AGN", "quasar"), Meaning("AGN"), Meaning(reason="a galaxy")], "AGN", "quasar", ""),
        ([Meaning("AGN", "quasar"), Meaning("AGN", "Seyfert")], "AGN", "", "subclass"),
        ([Meaning("AGN", "quasar"), Meaning("SN", "SN Ia")], "", "", "class"),
        ([Meaning("AGN"), Meaning(OTHER)], "", "", "class"),  # a tidal disruption in a nucleus
        ([Meaning(OTHER), Meaning(OTHER)], "", "", ""),
        ([Meaning(reason="a star")], "", "", ""),
        ([], "", "", ""),
    ],
)
def test_what_names_agree_on(meanings, label, subclass, conflict):
    assert decide(meanings) == (Meaning(label, subclass), conflict)
