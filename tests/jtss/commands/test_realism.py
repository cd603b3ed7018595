"""`jtss realism`: from words to a request."""

from pathlib import Path

import pytest

from helpers.programs import jtss
from jtss.commands import realism as command
from jtss.realism import realism


def test_the_words_become_a_request_and_what_is_written_is_named(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(realism, "measure", lambda request, **_: asked.append(request) or "findings")
    monkeypatch.setattr(realism, "write", lambda out, findings: [out / f"{findings}.json"])
    words = ("-m", "a", "b", "--ckpt", "c", "--predictions", "x=x.csv", "--beside", "y=p=q.csv", "f/net")
    assert not jtss("realism", "--real", "r.h5", "--simulated", "s.h5", *words, "--out", "folder")
    (request,) = asked
    assert (request.real, request.simulated) == (Path("r.h5"), Path("s.h5"))
    assert request.runs == (Path("a"), Path("b"), Path("c"))
    assert request.beside == (("x", Path("x.csv")), ("y", Path("p=q.csv")), ("net", Path("f/net")))
    assert request.command.startswith("jtss realism --real r.h5 ")
    assert capsys.readouterr().out == "\nwritten: folder/findings.json\n"


@pytest.mark.parametrize("text", ["=x.csv", "x="])
def test_half_a_name_is_refused(text, capsys):
    assert jtss("realism", "--real", "r.h5", "--predictions", text, "--out", "folder") == 2
    assert f"{text}: expected NAME=F.csv" in capsys.readouterr().err
    assert command.named("x=y") == ("x", Path("y"))
