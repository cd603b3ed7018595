"""Samples of packets: values, labels with grades, one vote per object, and real alerts as they were measured before."""

import numpy as np
import pytest

from data_prep.compare.samples import PAST, read_sample
from data_prep.compare.tables import compare_values, count
from helpers.made_comparisons import packets
from helpers.make_packets import CANDIDATE, alert, images, save
from jtss.errors import InputError


def test_sample_of_packets(tmp_path):
    """Values of the packet, -999 as missing, stamps cut by the edge without pixel statistics, fills and all."""
    names = {"ZTF18a": "AGN", "ZTF18b": "SN", "ZTF18c": "no class", "ZTF18d": ""}
    folder = packets(tmp_path, names, sgscore1=-999.0, ra=10.0, dec=60.0)
    edge = alert("ZTF18a", 99, [stamp[:50] for stamp in images(9)], ypos=3070.0, magnr=17.0, magpsf=20.0)
    save(folder / "alerts", [edge])
    sample = read_sample(folder)
    assert sorted(zip(sample.object_id, sample.label, sample.weight, strict=True)) == [
        *[("ZTF18a", "AGN", pytest.approx(1 / 3))] * 3,
        *[("ZTF18b", "SN", 0.5)] * 2,
    ]
    assert (sample.ledger.kept, dict(sample.ledger.dropped)) == (5, {"other_label_or_grade": 4})
    cut = sample.candid == 99
    assert sample.values["other_shape"].tolist() == cut.tolist()
    assert np.isnan(sample.values["noise_science"]).tolist() == cut.tolist()
    assert sample.values["magpsf-magnr"][cut] == pytest.approx(3.0)
    assert np.isnan(sample.values["sgscore1"][~cut]).all()
    assert sample.values["abs_gal_b"][~cut] == pytest.approx(2.85, abs=0.05)  # astropy: b = -2.83
    assert sample.values["noise_science"][~cut] == pytest.approx(10, rel=0.1)
    assert sample.values["fwhm_template"][~cut] == pytest.approx(2.3548 * 2, rel=0.02)


def test_what_is_no_folder_of_packets_is_named(tmp_path):
    """A data set, of one file or of many, is compared by another command."""
    (tmp_path / "many").mkdir()
    for place in ("many/index.h5", "one.h5"):
        (tmp_path / place).write_bytes(b"x")
    for name in ("many", "one.h5"):
        with pytest.raises(InputError, match=f"{name}: no alert packets and labels.csv .* realism compares data sets"):
            read_sample(tmp_path / name)
    for name, fault in ((".", r"labels\.csv: no such file"), ("nowhere", "no such folder")):
        with pytest.raises(FileNotFoundError, match=fault):
            read_sample(tmp_path / name)


def test_the_past_is_measured_with_the_alert(tmp_path):
    """Two limits and a detection before it; a row that is older than 30 days is none."""
    jd = CANDIDATE["jd"]
    place = {"ra": 10.0, "dec": 60.0}
    seen = {"candid": 5, "magpsf": 19.5, "diffmaglim": 20.0, "isdiffpos": "t"} | place
    none = {"candid": None, "magpsf": None, "diffmaglim": 19.0}
    past = [none | {"jd": jd - 2, "fid": 1}, seen | {"jd": jd - 3, "fid": 1}, none | {"jd": jd - 9, "fid": 2}]
    past.append(seen | {"jd": jd - 31, "fid": 1, "candid": 4})
    told = alert("ZTF18a", 9, images(9), history=past, jd=jd, fid=1, magpsf=19.1, **place)
    save(tmp_path / "alerts", [told, alert("ZTF18a", 8, images(8), jd=jd - 1, **place)])
    (tmp_path / "labels.csv").write_text("objectId,label\nZTF18a,SN")
    sample = read_sample(tmp_path)
    at = int(np.argmax(sample.candid == 9))
    values = {name.removeprefix("past_"): sample.values[name][at] for name in PAST}
    assert (values["detections"], values["limits"], values["share_detected"]) == (2, 2, 0.5)
    assert values["span"] == pytest.approx(9)
    assert values["now_minus_magnitude"] == pytest.approx(-0.2, abs=1e-5)
    assert all(np.isnan(sample.values[name][1 - at]) for name in PAST)  # the other tells nothing


def test_grades_choose_objects(tmp_path):
    names = {"ZTF18a": "AGN,strong", "ZTF18b": "AGN,weak", "ZTF18c": "bogus,weak", "ZTF18d": "bogus,strong"}
    sample = read_sample(packets(tmp_path, names, head="objectId,label,grade"))
    assert set(sample.object_id) == {"ZTF18a", "ZTF18c"}


@pytest.mark.slow
def test_real_alerts_have_the_quantiles_that_were_measured_before(ztf_dir):
    """Medians from an independent measurement of the same alerts, which clipped sources from the noise."""
    sample = read_sample(ztf_dir)
    assert {label: count(sample, label) for label in ("AGN", "SN", "VS", "asteroid", "bogus")} == {
        "AGN": (60, 54),
        "SN": (102, 49),
        "VS": (136, 115),
        "asteroid": (211, 211),
        "bogus": (103, 103),
    }
    medians = {row.name: row.quantiles[0][2] for row in compare_values(sample, sample, "VS")}
    assert medians["magpsf"] == pytest.approx(17.3, abs=0.1)
    assert medians["background_science"] == pytest.approx(146.4, abs=0.5)
    assert medians["noise_science"] == pytest.approx(10.4, rel=0.06)
    assert medians["fwhm_template"] == pytest.approx(2.40, abs=0.02)
    assert medians["peak_difference"] == pytest.approx(35.4, rel=0.05)
    assert all(row.ks == 0 or np.isnan(row.ks) for row in compare_values(sample, sample, "SN"))
