"""Table 8 from results that are known."""

from helpers.made_experiments import made_document, rows_of


def test_table_8_has_mean_confusion_matrices():
    document = made_document("table8", lambda setup, seed: 0.9 if seed else 0.8, n=[5], seeds=2)
    assert rows_of(document)[0][:5] == ("5", "lstm", "1L 128U", "98.43 ± 0.3", "85.00 ± 7.07 (78.5–91.0)")
    assert rows_of(document, 1)[0] == ("AGN", "28.5 ± 2.1 (83.8 %)", "5.5 ± 2.1 (16.2 %)", "0.0 ± 0.0 (0.0 %)")
