"""The interface does what its OpenAPI document says: schemathesis asks all sorts of things of every path."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from helpers.made_service import client_of, made_run, made_service

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]
SEEDED = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])


@pytest.mark.slow
def test_every_path_keeps_its_word(tmp_path):
    asked = set()

    def ask(case):
        asked.add(case.path)
        case.call_and_validate(checks=CHECKS)

    with client_of(made_service(made_run(tmp_path))) as client:
        schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
        for operation in schema.get_all_operations():
            SEEDED(given(case=operation.ok().as_strategy())(ask))()
        assert asked == {*client.get("/openapi.json").json()["paths"]}
