"""The page to drop packets on: one document with its style, its script and its words in it, which fetches nothing."""

import base64
import hashlib
import json
from importlib import resources
from typing import NamedTuple

from jtss.reports import page as reports
from jtss.reports.colours import CLASS_COLOURS
from jtss.reports.explanation.occlusion import PATCH
from jtss.reports.explanation.packet_page import FILTER_COLOURS, WITHOUT
from jtss.reports.explanation.page import HIDDEN, LEAST_SHOWN, NOT_THE_TRUTH
from jtss.version import __version__

ASSETS = resources.files("jtss.serving.http") / "assets"
STYLES, SCRIPTS = ("page.css",), ("figure.js", "page.js")
POLICY = (
    "default-src 'none'; style-src {style}; script-src {script}; img-src data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page(NamedTuple):
    """A page as it is sent: nothing runs in it but what its headers name by hash."""

    text: str
    headers: dict[str, str]


def page() -> Page:
    """The page, the same for every service: it asks the service for its models."""
    style = reports.STYLE + _joined(STYLES)
    script = _joined(SCRIPTS)
    text = (ASSETS / "page.html").read_text(encoding="utf-8")
    for name, value in {"STYLE": style, "SCRIPT": script, "WORDS": _words(), "VERSION": __version__}.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    policy = POLICY.format(style=_hash(style), script=_hash(script))
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return Page(text, headers)


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


def _words() -> str:
    """Colours and sentences of the pages of `jtss explain`; in an element of HTML, so without what would end it."""
    words = {
        "classColours": CLASS_COLOURS,
        "filterColours": FILTER_COLOURS,
        "leastShown": LEAST_SHOWN,
        "without": WITHOUT,
        "hidden": HIDDEN.replace("{side}", str(PATCH)),
        "notTheTruth": NOT_THE_TRUTH,
    }
    return json.dumps(words).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
