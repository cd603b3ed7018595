"""The documents of the interface are those that are sent."""

import pytest
from pydantic import ValidationError

from helpers.made_service import client_of, made_run, made_service, packet
from jtss.serving.http.documents import Answers, Asked, AskedWhy, Models


def test_what_is_sent_is_what_is_described(tmp_path):
    with client_of(made_service(made_run(tmp_path))) as client:
        for query, has_steps in (("", False), ("?trajectory=true", True)):
            found = Answers.model_validate_json(client.post(f"/classify{query}", content=packet()).content)
            assert (found.answers[0].trajectory is not None) == has_steps
        Models.model_validate_json(client.get("/models").content)


def test_a_question_that_is_misspelt_is_refused():
    with pytest.raises(ValidationError, match="modle"):
        Asked(modle="any")
    with pytest.raises(ValidationError, match="candid"):
        AskedWhy(candid=2**63)
