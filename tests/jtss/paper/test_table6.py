"""Table 6 from results that are known."""

from helpers.made_experiments import made_document, rows_of


def test_table_6_chooses_by_validation_and_tests_against_the_lstm():
    def accuracy(setup, seed):
        temporal = setup.config.temporal
        if temporal.kind == "lstm":
            return 0.90 + (temporal.units == 64) * (temporal.layers == 2) * 0.02 + seed / 100
        return 0.95 + (temporal.taps == 3) * 0.02 + seed / 100

    document = made_document("table6", accuracy, n=[3], models=["lstm", "gamma"], seeds=2)
    lstm, gamma = rows_of(document)
    assert lstm[:7] == ("3", "lstm", "1L 64U", "92.0 ± 0.3", "reference", "29.63", "2L 64U")
    assert lstm[8:] == ("reference", "reference", "reference", "2", "12 of 12")
    assert gamma[:7] == ("3", "gamma", "k = 7", "91.4 ± 0.5", "0.06", "7.84", "k = 3")
    assert gamma[8].startswith("+5.00 (")
    assert gamma[9:] == ("0.33", "0.33", "2", "8 of 8")


def test_table_6_says_how_many_sizes_are_tried_and_leaves_out_what_is_not_complete():
    def accuracy(setup, seed):
        return None if seed and setup.config.temporal.kernel == 3 else 0.9 + setup.config.temporal.kernel / 100

    (row,) = rows_of(made_document("table6", accuracy, n=[3], models=["conv1d"], seeds=2))
    assert row[6] == "Ke = 2"
    assert row[-1] == "1 of 2"
    assert row[8:11] == ("missing", "missing", "missing")  # no LSTM to compare with
