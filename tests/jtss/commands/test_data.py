"""`jtss data`: what its commands say of what they made."""

import pytest

from data_prep.__main__ import main
from data_prep.audit import audit as audit_audit
from helpers.make_packets import alert, images, save


@pytest.fixture
def one_image(tmp_path):
    """Options of a build of eight supernovae with the same stamps: two are for test, two for validation."""
    records = [alert(f"ZTF18{i:04d}", i + 1, images(5), ra=10.0 + i) for i in range(8)]
    labels = tmp_path / "labels.csv"
    labels.write_text("objectId,label\n" + "".join(f"ZTF18{i:04d},SN\n" for i in range(8)))
    folder, out = save(tmp_path / "alerts", records), tmp_path / "out.h5"
    return ["build", "--alerts", str(folder), "--labels", str(labels), "--out", str(out), "--workers", "1"]


def test_build_warns_of_leaks_and_keeps_the_file(one_image, tmp_path, capsys):
    assert main(one_image) == 0
    captured = capsys.readouterr()
    assert "objects with a science stamp that also occurs, byte for byte, in another split: 8" in captured.out
    assert captured.err.splitlines()[-1].endswith("out.h5 leaks: accuracies measured with it may be too high")
    assert main(["audit", str(tmp_path / "out.h5")]) == 1


def test_a_build_succeeds_whatever_becomes_of_its_audit(one_image, tmp_path, capsys, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_audit, "audit", interrupted)
    assert main(one_image) == 0
    assert "out.h5 is written but not audited: interrupted" in capsys.readouterr().err
    assert (tmp_path / "out.h5").is_file()
