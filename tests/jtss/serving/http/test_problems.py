"""Why a request has no answer."""

import json

from data_prep.ledger import Rejection
from jtss.serving.http.documents import ProblemDocument
from jtss.serving.http.problems import Problem


def test_a_problem_says_why_and_when_to_ask_again():
    lost = Rejection("bad_jd", "jd 0", "body", "ZTF18a", 12)
    response = Problem(503, "busy", "much to do", rejected=[lost], retry_seconds=3).response({"Allow": "GET"})
    said = json.loads(response.body)
    assert response.status_code == said["status"] == 503
    assert said["title"] == "Service Unavailable"
    assert (said["reason"], said["detail"]) == ("busy", "much to do")
    expected = {"objectId": "ZTF18a", "candid": 12, "reason": "bad_jd", "detail": "jd 0", "source": "body"}
    assert said["rejected"] == [expected | {"n_packets": 1}]
    assert (response.headers["retry-after"], response.headers["allow"]) == ("3", "GET")
    assert response.headers["content-type"] == "application/problem+json"
    ProblemDocument.model_validate(said)


def test_what_is_not_known_of_a_packet_is_null():
    response = Problem(422, "not_avro", "no", rejected=[Rejection("not_avro", "no", "body")]).response()
    assert json.loads(response.body)["rejected"][0]["objectId"] is None
    assert "retry-after" not in response.headers
