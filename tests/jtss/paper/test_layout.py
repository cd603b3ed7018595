"""Tables as text, CSV, LaTeX and a page."""

import pytest

from helpers.made_experiments import made_document
from jtss.paper import layout
from jtss.paper.layout import Column, Document, Table


def test_latex_has_no_sign_that_breaks_it():
    columns = (Column("a & b [%]"), Column("x_1", "accuracy"))
    rows = [("{±} \\ θ #$~^ 5–7 −1 <", None)]
    text = layout.latex(Document("t", "title", [Table("t", "sub", columns, rows)], [], ["100 % sure"]))
    assert text.splitlines() == [
        "% title",
        "% 100 % sure",
        "",
        "% sub",
        r"\begin{tabular}{ll}",
        r"\hline",
        r"a \& b [\%] & x\_1 \\",
        r"\hline",
        r"\{$\pm$\} \textbackslash{} $\theta$ \#\$\textasciitilde{}\textasciicircum{} 5--7 $-$1 $<$ & missing \\",
        r"\hline",
        r"\end{tabular}",
    ]


def test_the_page_holds_tables_notes_and_pictures(tmp_path):
    document = made_document("table8", lambda setup, seed: 0.9, n=[2], seeds=2)
    paths = {path.name for path in layout.write(tmp_path, document)}
    assert paths == {
        "table8.html",
        "table8.tex",
        "table8.csv",
        "table8-confusion-n2.csv",
        "table8-confusion-n2.png",
    }
    page = (tmp_path / "table8.html").read_text()
    assert "90.00\u00a0±\u00a00.00" in page
    assert "98.47\u00a0±\u00a00.1" in page
    assert "data:image/png;base64" in page
    assert "pictures only" in page
    assert (tmp_path / "table8-confusion-n2.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "text", "–"),
        (None, "p", "missing"),
        (0.0004, "p", "< 0.001"),
        (0.0079365, "p", "0.0079"),
        (12.3456, "time", "12.3"),
        ("reference", "gain", "reference"),
        ((-0.012, (-0.03, 0.004)), "gain", "-1.20 (-3.0 to 0.4)"),
    ],
)
def test_a_cell_is_written_so(value, kind, expected):
    if kind == "gain" and not isinstance(value, str):
        value = (value[0], layout.Interval(*value[1]))
    assert layout.shown(value, kind) == expected
