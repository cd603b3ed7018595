"""The page fetches nothing, and nothing runs in it but its own script."""

import base64
import hashlib
import json
import re

from jtss.reports.colours import CLASS_COLOURS
from jtss.serving.http.page import page


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_its_policy_names_its_style_and_its_script_by_hash():
    made = page()
    policy = dict(part.strip().split(" ", 1) for part in made.headers["Content-Security-Policy"].split(";"))
    (style,) = re.findall(r"<style>(.*?)</style>", made.text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", made.text, re.DOTALL)
    assert (policy["style-src"], policy["script-src"]) == (hash_of(style), hash_of(script))
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in made.headers["Content-Security-Policy"]


def test_it_fetches_nothing_and_sets_no_html():
    text = page().text
    assert "{{" not in text
    addresses = set(re.findall(r"https?://[^\"'` ]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(| on[a-z]+=| style=", text)


def test_its_words_are_those_of_the_reports():
    (words,) = re.findall(r'<script id="words" type="application/json">(.*?)</script>', page().text)
    assert json.loads(words)["classColours"] == CLASS_COLOURS
