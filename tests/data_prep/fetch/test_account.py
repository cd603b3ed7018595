"""The account adds up, and says what is not settled."""

import pytest

from data_prep.fetch.account import OTHERS, UNREADABLE, Account
from data_prep.lost import ABSENT, DAMAGED, FAILED, GOT, INCOMPLETE, NOT_ASKED


@pytest.fixture
def account():
    made = Account()
    made.count("objects", GOT, n=3)
    made.count("objects", ABSENT, "no_stamps")
    made.count("objects", ABSENT, "unknown_object", 2)
    made.count("alerts", ABSENT, "not_found", 4)
    made.count("alerts", GOT, n=7)
    return made


def test_it_adds_up(account):
    assert account.total("objects") == 6
    assert account.total("objects", ABSENT) == 3
    assert account.total("alerts", GOT, ABSENT) == 11
    assert account.total("nights") == 0
    assert account.as_dict() == {
        "objects": {"asked": 6, GOT: {"": 3}, ABSENT: {"no_stamps": 1, "unknown_object": 2}},
        "alerts": {"asked": 11, GOT: {"": 7}, ABSENT: {"not_found": 4}},
    }


def test_it_is_laid_out_by_outcome_and_reason(account):
    account.notes["alerts that were here before"] += 5
    assert [line.split() for line in str(account).splitlines()] == [
        ["objects", "asked", "for", "6"],
        ["got", "3"],
        ["absent", "3"],
        ["no_stamps", "1"],
        ["unknown_object", "2"],
        ["alerts", "asked", "for", "11"],
        ["got", "7"],
        ["absent", "4"],
        ["not_found", "4"],
        ["notes"],
        ["alerts", "that", "were", "here", "before", "5"],
    ]


@pytest.mark.parametrize(
    ("outcome", "is_settled"),
    [
        *((outcome, True) for outcome in (GOT, ABSENT, OTHERS, UNREADABLE)),
        *((outcome, False) for outcome in (DAMAGED, FAILED, NOT_ASKED)),
    ],
)
def test_what_may_come_later_is_not_settled(account, outcome, is_settled):
    account.count("objects", INCOMPLETE)
    account.count("alerts", outcome, "x")
    assert account.is_settled is is_settled
