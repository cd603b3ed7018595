"""Figure 6 from results that are known."""

from helpers.made_experiments import made_document, rows_of


def test_figure_6_marks_the_best_of_each_model():
    document = made_document(
        "figure6", lambda s, seed: 0.9 + s.config.temporal.kernel / 100, n=[4], models=["conv1d"], seeds=2
    )
    assert [row[2::3] for row in rows_of(document)] == [("Ke = 2", "–"), ("Ke = 3", "–"), ("Ke = 4", "best")]
    assert [picture.name for picture in document.pictures] == ["figure6-n4"]
    assert made_document("figure6", lambda s, seed: None, n=[4], models=["tdnn"], seeds=2).pictures == []
