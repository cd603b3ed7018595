"""Whatever comes, it is answered or refused with a reason; never an error of the server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.simulate.packets import encode_file
from helpers.made_service import client_of, made_run, made_service, packet
from helpers.make_packets import alert, detection, images
from jtss.serving.http.documents import Answers, ProblemDocument

NUMBERS = (
    "magpsf",
    "sigmapsf",
    "diffmaglim",
    "ra",
    "dec",
    "xpos",
    "fwhm",
    "rb",
    "distnr",
    "magnr",
    "chinr",
    "sgscore1",
)
ODD = st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e38, -1e38, 1e-40, 0.0, -999.0])


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with client_of(made_service(made_run(tmp_path_factory.mktemp("model")))) as found:
        yield found


def check(client, body):
    for path in ("/classify?trajectory=true", "/explain"):
        response = client.post(path, content=body)
        assert response.status_code in (200, 413, 422), response.text
        if response.status_code == 200:
            assert path == "/explain" or Answers.model_validate_json(response.content).answers
        else:
            assert ProblemDocument.model_validate_json(response.content).reason != "failed"


@settings(max_examples=40)
@given(body=st.binary(max_size=500))
def test_random_bytes(client, body):
    check(client, body)


@settings(max_examples=40)
@given(cut=st.integers(0, 70_000), at=st.integers(0, 70_000), byte=st.integers(0, 255))
def test_damaged_packets(client, cut, at, byte):
    body = bytearray(packet())
    body[at % len(body)] = byte
    check(client, bytes(body[: len(body) - cut % len(body)]))


@settings(max_examples=30)
@given(
    values=st.dictionaries(st.sampled_from(NUMBERS), ODD),
    told=st.dictionaries(st.sampled_from([name for name in NUMBERS if name not in ("xpos", "sgscore1")]), ODD),
    pixel=st.none() | ODD,
)
def test_numbers_that_are_none(client, values, told, pixel):
    stamps = images(1)
    if pixel is not None:
        stamps[0][:30] = pixel
    check(client, encode_file([alert("ZTF18a", 5, stamps, [detection(3, 4, **told)], **values)]))


@pytest.mark.parametrize("shape", [(64, 63), (1, 1), (500, 500), (3000, 63)])
def test_stamps_of_other_sizes(client, shape):
    check(client, encode_file([alert("ZTF18a", 5, images(1, shape))]))
