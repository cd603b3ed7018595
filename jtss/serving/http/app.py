"""The HTTP interface of a service: its paths, what they take, and what they say when something is wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jtss.serving.answering import OF_THE_MACHINE
from jtss.serving.endpoint import TEXT
from jtss.serving.http.documents import (
    Answers,
    Asked,
    AskedWhich,
    AskedWhy,
    Explanation,
    Models,
    ProblemDocument,
    Stamps,
)
from jtss.serving.http.examples import examples
from jtss.serving.http.page import page
from jtss.serving.http.problems import MEDIA_TYPE, Problem
from jtss.serving.http.service import Service
from jtss.version import __version__

AVRO = "application/octet-stream"
DESCRIPTION = "Says what alert packets of ZTF are of: a packet in, the probabilities of its classes out."
PACKETS = (
    "An Avro file of one alert packet or several, or several files joined, gzipped or not; or a tar archive of such"
    " files, plain or compressed by gzip or xz. The content type is not looked at, but for a form, which is refused:"
    " curl --data-binary @FILE."
)
PROBLEMS = {
    404: "there is no such model",
    408: "the body did not come in time",
    413: "more bytes or packets than are taken at a time",
    415: "a form",
    422: "no packet that can be answered, or a question that is not understood",
    503: "too much to do, or not ready yet; ask again after Retry-After seconds",
}
FORM = "multipart/form-data"
HUNG_UP = 499  # what nginx writes down where a client did not wait for the answer


TAKES_PACKETS = {
    "responses": {status: {"model": ProblemDocument, "description": text} for status, text in PROBLEMS.items()},
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": PACKETS,
            "content": {AVRO: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}


def application(service: Service) -> FastAPI:
    """The interface of a service, which begins and ends with it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.begin()
        yield
        service.close()

    app = FastAPI(
        title="jtss", version=__version__, description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    _add_answers(app, service)
    _add_looks(app, service)
    _add_problems(app)
    app.openapi = partial(_described, app)
    app.add_middleware(_Counted, service=service, paths={route.path for route in app.routes})
    return app


def _described(app: FastAPI) -> dict:
    """The OpenAPI document; FastAPI takes problems for documents of the media type of answers."""
    if app.openapi_schema is None:
        about = {"title": app.title, "version": app.version, "description": app.description, "routes": app.routes}
        app.openapi_schema = get_openapi(**about)
        for operations in app.openapi_schema["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) in PROBLEMS and "application/json" in response["content"]:
                        response["content"][MEDIA_TYPE] = response["content"].pop("application/json")
    return app.openapi_schema


def _add_answers(app: FastAPI, service: Service) -> None:
    """What takes packets."""

    @app.post("/classify", response_model=Answers, summary="Classify packets", **TAKES_PACKETS)
    async def classify(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        began = time.monotonic()
        service.require_ready()
        with service.places.one():
            body = await _body(request, service)
            asks = service.classify(body, asked.model, trajectory=asked.trajectory, began=began)
            return JSONResponse(await _while_heard(request, asks))

    @app.post("/explain", response_model=Explanation, summary="Explain an answer", **TAKES_PACKETS)
    async def explain(request: Request, asked: Annotated[AskedWhy, Query()]) -> Response:
        service.require_ready()
        with service.places.one(), service.explanations.one():
            body = await _body(request, service)
            asks = service.explain(body, asked.model, asked.candid)
            return JSONResponse(await _while_heard(request, asks))

    @app.post("/stamps", response_model=Stamps, summary="The images of a packet", **TAKES_PACKETS)
    async def stamps(request: Request, asked: Annotated[AskedWhich, Query()]) -> Response:
        service.require_ready()
        with service.places.one():
            body = await _body(request, service)
            return JSONResponse(await _while_heard(request, service.stamps(body, asked.candid)))


def _add_looks(app: FastAPI, service: Service) -> None:
    """What only looks."""
    whole = page()

    @app.get("/", response_class=HTMLResponse, summary="A page to drop packets on")
    async def root() -> Response:
        return HTMLResponse(whole.text, headers=whole.headers)

    @app.get("/models", response_model=Models, summary="The models")
    async def models() -> Response:
        return JSONResponse({"models": [one.about for one in service.models.values()]})

    @app.get(
        "/example",
        response_class=Response,
        summary="Simulated packets",
        responses={200: {"content": {AVRO: {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def example() -> Response:
        return Response(await asyncio.to_thread(examples), media_type=AVRO)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Numbers for Prometheus")
    async def metrics() -> Response:
        return Response(service.tally.text(service.places.taken, service.is_ready()), media_type=TEXT)

    @app.get("/healthz", response_class=PlainTextResponse, summary="Whether the service lives")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    not_ready = {503: {"description": "not yet", "content": {"text/plain": {"schema": {"type": "string"}}}}}

    @app.get("/readyz", response_class=PlainTextResponse, responses=not_ready, summary="Whether it answers")
    async def readyz() -> Response:
        if service.is_ready():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the models are being made ready\n", 503)


def _add_problems(app: FastAPI) -> None:
    """What is said where there is no answer, and it was foreseen."""

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def misunderstood(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return Problem(422, "bad_query", detail[:300]).response()

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: HTTPException) -> Response:
        reason = {404: "no_such_path", 405: "no_such_method"}.get(error.status_code, "bad_request")
        return Problem(error.status_code, reason, str(error.detail)).response(error.headers)


async def _body(request: Request, service: Service) -> bytes:
    """The body of a request, of which no more is taken than the limit allows.

    Raises:
        Problem: it is a form, too large, or does not come in time.
        ClientDisconnect: the client hung up.
    """
    most, seconds = service.limits.body_bytes, service.limits.body_seconds
    if request.headers.get("content-type", "").lower().startswith(FORM):
        raise Problem(415, "form", "a form, expected the packets themselves: curl --data-binary @FILE")
    too_large = Problem(413, "too_large", f"a body of more than {most} bytes; send fewer packets at a time")
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise Problem(408, "slow_body", f"the body did not come within {seconds:g} s", hangs_up=True) from None
    return bytes(body)


async def _while_heard(request: Request, asks: Coroutine[None, None, dict]) -> dict:
    """What comes of a question; it is given up when the client hangs up.

    Args:
        request: whose body has been read.

    Raises:
        ClientDisconnect: the client hung up.
    """
    answer, end = asyncio.ensure_future(asks), asyncio.ensure_future(_end(request))
    try:
        await asyncio.wait((answer, end), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        answer.cancel()
        end.cancel()


async def _end(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Counted:
    """Counts requests by path and status, and hardens what browsers make of the answers.

    It also answers where an error that nobody foresaw came: Starlette would do so outside of it, and raise the error
    again.
    """

    def __init__(self, app: ASGIApp, service: Service, paths: set[str]) -> None:
        self._app, self._service, self._paths = app, service, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        has_begun = False

        async def counting(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._service.tally.requested(path, message["status"])
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except ClientDisconnect:  # anybody may hang up as often as they like: it is counted, not logged
            self._service.tally.requested(path, HUNG_UP)
        except Exception as error:
            if has_begun:
                raise
            await self._failed(path, error).response()(scope, receive, counting)

    def _failed(self, path: str, error: Exception) -> Problem:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        self._service.log.warn("request_failed", path=path, error=said)
        if isinstance(error, OF_THE_MACHINE):
            return Problem(503, "unavailable", "the machine fails, see the log", retry_seconds=30)
        return Problem(500, "failed", "an error that nobody foresaw, see the log")
