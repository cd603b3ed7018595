"""No object is lost between the alert packets and the table."""

import numpy as np

from helpers.made_sequences import CLASSES, FakeClassifier, sequences, with_histories
from jtss.config import named
from jtss.config.settings import override
from jtss.inference import classify, table
from jtss.inference.model import Model
from jtss.inference.screening import Verdict, no_screening
from jtss.training import strata
from jtss.training.mixture import Origin

CLASSIFIER = table.Classifier("n2_test", "0.1.0", CLASSES, 2)


def run(batches, *, notes=None, rejected=None, bogus=None):
    """`bogus`: ids of objects to be rejected by the screening; None: no screening."""

    def screen(made):
        rejected = np.isin(made.object_id.astype(str), list(bogus)) & (made.n_alerts >= 2)
        return Verdict(made.n_alerts >= 2, np.stack([rejected] * 2, axis=1))

    rows = []
    tally = classify.classify(
        FakeClassifier(2),
        batches,
        CLASSIFIER,
        rows.extend,
        notes=notes or {},
        rejected=rejected or {},
        screen=no_screening if bogus is None else screen,
    )
    return rows, tally


def batches(n_batches=5, seed=0):
    rng = np.random.default_rng(seed)
    return [
        with_histories(sequences(rng.integers(1, 6, 9), label=rng.integers(-1, 3, 9), seed=i, prefix=f"ZTF{i}x"))
        for i in range(n_batches)
    ]


def test_ids_in_are_ids_out_each_once():
    given = batches()
    rejected = {"ZTF0x0": "stamp_gzip", "ZTF9": "stamp_gzip", "ZTF8": "stamp_shape"}
    rows, tally = run(given, rejected=rejected)
    ids_in = {oid for batch in given for oid in batch.object_id} | set(rejected)
    assert {row.oid for row in rows} == ids_in
    assert tally.by_class.total() + tally.unclassified.total() == len(ids_in)
    for oid in ids_in:
        names = [row.class_name for row in rows if row.oid == oid]
        assert names in (list(CLASSES), [None])


def test_an_object_with_usable_alerts_is_not_reported_as_rejected():
    rows, tally = run(batches(1), rejected={"ZTF0x0": "stamp_gzip"})
    assert tally.unclassified["stamp_gzip"] == 0
    assert all(row.note != "stamp_gzip" for row in rows)


def test_tally_counts_the_first_ranked_class():
    rows, tally = run(batches())
    for name in CLASSES:
        assert tally.by_class[name] == sum(row.ranking == 1 and row.class_name == name for row in rows)
    assert +tally.unclassified == {table.TOO_FEW: sum(row.class_name is None for row in rows)}


def test_notes_reach_the_rows_and_the_picture():
    given = [sequences((2, 2), label=(0, 1))]
    rows, tally = run(given, notes={"ZTF1": "padded_edge"})
    assert {row.oid for row in rows if row.note == "padded_edge"} == {"ZTF1"}
    assert [shown.note for shown in tally.shown] == ["", "padded_edge"]


def test_the_picture_shows_the_first_of_each_class():
    _, tally = run([sequences([2] * 30, label=[0] * 20 + [1] * 10)])
    assert [shown.object_id for shown in tally.shown] == ["ZTF0", "ZTF1", "ZTF2", "ZTF20", "ZTF21", "ZTF22"]


def test_a_screened_object_stays_with_a_note_and_without_class():
    given = [sequences((2, 3, 1, 2), label=(0, 1, 2, 0))]
    rows, tally = run(given, notes={"ZTF1": "padded_edge"}, bogus={"ZTF1", "ZTF2", "ZTF3"})
    marked = [(row.oid, row.candid, row.class_name, row.probability, row.ranking, row.note) for row in rows[3:]]
    assert [row.class_name for row in rows[:3]] == list(CLASSES)
    assert marked == [
        ("ZTF1", int(given[0].candid[3]), None, None, None, "screened_bogus; padded_edge"),
        ("ZTF2", int(given[0].candid[5]), None, None, None, "too_few_detections: 1, needs 2"),
        ("ZTF3", int(given[0].candid[7]), None, None, None, "screened_bogus"),
    ]
    assert tally.by_class == {"AGN": 1}
    assert tally.unclassified == {"screened_bogus": 2, table.TOO_FEW: 1}
    assert [shown.object_id for shown in tally.shown] == ["ZTF0"]
    assert ["screened_bogus", "2"] in [line.split() for line in classify.summary(tally, CLASSES).splitlines()]


def test_a_screening_that_finds_nothing_is_counted():
    _, screened = run([sequences((2, 2), label=(0, 1))], bogus={"another"})
    _, plain = run([sequences((2, 2), label=(0, 1))])
    assert ["screened_bogus", "0"] in [line.split() for line in classify.summary(screened, CLASSES).splitlines()]
    assert "screened_bogus" not in classify.summary(plain, CLASSES)


def test_screening_changes_no_other_row():
    given = batches()
    bogus = {str(oid) for batch in given for oid in batch.object_id[::3]}
    before, _ = run(given)
    after, _ = run(given, bogus=bogus)
    screened = {row.oid for row in after if row.note == "screened_bogus"}
    assert 5 < len(screened) <= len(bogus)
    assert [row for row in after if row.oid not in screened] == [row for row in before if row.oid not in screened]


def test_of_a_mixture_taken_as_it_comes_the_learnt_priors_are_those_of_the_batches():
    """As often as `strata` draws them; a file without objects for training counts as absent."""
    counts = np.array([[30, 10, 0], [0, 5, 15], [0, 0, 0]])
    weights = (0.5, 0.3, 0.2)
    files = [
        {"weight": weight, "training_data": {"objects": {"train": dict(zip(CLASSES, of, strict=True))}}}
        for weight, of in zip(weights, counts.tolist(), strict=True)
    ]
    config = override(named.get("demo"), ["training.class_balance=natural"])
    provenance = {"training_data": files[0]["training_data"], "mixture": files}
    label = np.concatenate([np.repeat(np.arange(3), of) for of in counts])
    origin = Origin(np.repeat(np.arange(3), counts.sum(axis=1)), weights)
    share = strata.of(label, np.ones((len(label), 2), np.float32), config, origin)[1].share.reshape(3, 3).sum(axis=0)
    np.testing.assert_allclose(classify.learnt_priors(Model("mixed", config, None, (), provenance)), share, rtol=1e-6)
    alone = {"training_data": files[0]["training_data"]}
    np.testing.assert_allclose(classify.learnt_priors(Model("one", config, None, (), alone)), [0.75, 0.25, 0])


def test_nothing_given():
    rows, tally = run([])
    assert rows == []
    assert "objects classified" in classify.summary(tally, CLASSES)


def test_summary_has_every_number():
    _, tally = run([sequences([2, 2, 1], label=[0, 0, 0])], rejected={"ZTF9": "stamp_gzip"})
    lines = [line.split() for line in classify.summary(tally, CLASSES).splitlines()]
    assert lines == [
        ["objects", "classified", "2"],
        ["AGN", "2"],
        ["SN", "0"],
        ["VS", "0"],
        ["objects", "without", "class", "2"],
        ["too_few_detections", "1"],
        ["stamp_gzip", "1"],
    ]
