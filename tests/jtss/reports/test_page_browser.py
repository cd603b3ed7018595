"""The pages in a real browser, as wide as a phone and as a desk: nothing overflows, fails or is fetched.

Skipped where there is no Chromium.
"""

import html
import json
import re
import subprocess

import numpy as np
import pytest

from helpers.browser import ABSENT, BROWSER
from helpers.made_sequences import CLASSES, FakeClassifier, sequences
from jtss.metrics import priors
from jtss.reports import evaluation, page, report
from jtss.reports.sections import accuracy, models, seeds
from jtss.reports.sections.models import Contender

pytestmark = pytest.mark.skipif(BROWSER is None, reason=ABSENT)

WIDTHS = (360, 1280)
# Asks a page, shown in a frame of a given width, what it looks like; the answer becomes the title of what is around.
PROBE = """
<!doctype html><meta charset="utf-8"><title>none</title><body><iframe style="border:0;width:{width}px;height:20000px"
srcdoc="{page}"></iframe><script>
window.onload = () => {{
  const inner = document.querySelector("iframe").contentWindow, root = inner.document.documentElement;
  const pictures = [...inner.document.images];
  const wide = [...inner.document.querySelectorAll("body *")].filter(
    (at) => !at.closest(".scroll") &&
      Math.max(at.getBoundingClientRect().right, at.scrollWidth) > root.clientWidth + 1);
  document.title = JSON.stringify({{
    width: root.scrollWidth, broken: pictures.filter((at) => !at.naturalWidth).length, pictures: pictures.length,
    wide: wide.map((at) => at.tagName + " " + at.textContent.slice(0, 40)),
    fetched: inner.performance.getEntriesByType("resource").map((at) => at.name),
    tables: inner.document.querySelectorAll("table").length,
  }});
}};
</script></body>
"""


def show(text, width, folder):
    """What a browser says of a page; what it writes to its console."""
    path = folder / f"probe{width}.html"
    path.write_text(PROBE.format(width=width, page=html.escape(text)))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0"]
    command += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=20000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL).group(1)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(title)), console


@pytest.fixture(scope="module")
def report_page():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 120)
    wrong = {f"ZTF{i}": (int(rng.integers(0, 3)), 0.55 + i / 400) for i in range(100)}
    made = sequences([3] * 120, label=label, split=np.where(np.arange(120) < 60, 2, 1))
    evaluated = evaluation.evaluate(FakeClassifier(3, wrong), [made], CLASSES, 3, "test")
    evaluated = evaluated._replace(errors=evaluated.errors[:2])
    contenders = [Contender(f"a_rather_long_name_of_a_model_{n}", n, evaluated) for n in (1, 2, 3, 4, 5)]
    alone = {
        "model": {"name": "n3_best", "best_steps": [20]},
        "data": {"path": "a/b.h5"},
        "results": accuracy.scores(evaluated),
    }
    document = report.make_document(
        evaluated,
        model={"name": "n3_best", "n_detections": 3, "best_steps": [20]},
        data={"path": "a/b.h5", "split": "test", "content_hash": "0123456789abcdef" * 4},
        inference={"median_s_per_object": 0.00123, "batch_size": 60, "repeats": 9, "device": "some processor"},
        curve=[{"step": 20, "train_loss": 0.8, "validation_loss": 0.9, "validation_accuracy": 0.5}],
        command="python evaluate.py --ckpt " + "x" * 200,
        warnings=["beware"],
        class_priors=priors.class_priors(None, CLASSES, True),
        further=report.Further(models.scores(contenders), seeds.summarise(dict.fromkeys(range(3), alone))),
    )
    return report.html(document, evaluated).replace("<details>", "<details open>")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_fits_and_fetches_nothing(report_page, width, tmp_path):
    seen, console = show(report_page, width, tmp_path)
    assert console == []
    assert seen["fetched"] == []
    assert seen["broken"] == 0
    assert seen["pictures"] == 12
    assert seen["tables"] >= 10
    assert seen["wide"] == []
    assert seen["width"] <= width


def test_the_probe_sees_what_is_wrong(tmp_path):
    """Planted: a picture that is not there, a line that cannot break, a script that fails."""
    bad = page.page(
        "bad", '<img alt="" src="http://127.0.0.1:9/none.png">', f"<pre>{'x' * 300}</pre>", "<script>none()</script>"
    )
    seen, console = show(bad, 360, tmp_path)
    assert seen["broken"] == 1
    assert seen["fetched"] == ["http://127.0.0.1:9/none.png"]
    assert seen["width"] > 360
    assert any(at.startswith("PRE") for at in seen["wide"])
    assert any("none is not defined" in line for line in console)
