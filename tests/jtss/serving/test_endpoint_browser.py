"""The page for monitors in a real browser, on a desk and on a phone.

Skipped where there is no Chromium, or no Playwright.
"""

import pytest

pytest.importorskip("confluent_kafka")

from helpers.browser import ABSENT, BROWSER, launched
from helpers.made_messages import answered, outcome, received
from jtss.serving.endpoint import LOCAL, endpoint
from jtss.serving.messages import Partition
from jtss.serving.metrics import Metrics

pytest.importorskip("playwright.sync_api", reason="no browser test without Playwright")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason=ABSENT)]
MILLISECONDS = 300_000
EVIL = "<img src=x onerror=alert(1)>"
TOPIC = "ztf_20261130_programid1_" + "x" * 60
CUT = """[...document.querySelectorAll('td')].filter((at) => at.scrollWidth > at.clientWidth + 1)
    .map((at) => at.innerText)"""
OUTSIDE = """[...document.querySelectorAll('section')].flatMap((section) => [...section.querySelectorAll('td')]
    .filter((at) => at.getBoundingClientRect().right > section.getBoundingClientRect().right)
    .map((at) => at.innerText))"""


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


def counted():
    """Names as long as they come, and one that is no name."""
    metrics = Metrics()
    metrics.joined()
    metrics.turned({Partition(TOPIC, number): 12_345_678 for number in range(3)})
    chances = {"AGN": 0.05, "SN": 0.0, "VS": 0.0, "asteroid": 0.9, "bogus": 0.05}
    seen = {"class": "asteroid", "probabilities": chances, "n_detections": 115}
    metrics.delivered([answered(0, objectId=EVIL), *(answered(i, **seen) for i in range(1, 12))], now=0.0)
    metrics.delivered([outcome(received(12, b"a_reason_that_is_as_long_as_they_come"), is_dead=True)], now=0.0)
    return metrics


@pytest.mark.parametrize("width", [360, 1280])
def test_probabilities_arrive_and_nothing_is_out_of_sight(browser, width):
    metrics = counted()
    with endpoint(metrics, LOCAL, 0) as port:
        page, said, asked = browser.new_page(viewport={"width": width, "height": 800}), [], set()
        page.set_default_timeout(MILLISECONDS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(request.url))
        page.goto(f"http://{LOCAL}:{port}/")
        page.locator("#state", has_text="ready").wait_for()
        rows = page.locator("#latest tr")
        assert rows.count() == 12
        assert rows.nth(0).locator("td").last.inner_text() == "90 %"
        shares = rows.nth(0).locator(".shares div").evaluate_all("(all) => all.map((at) => at.style.width)")
        assert shares == ["5%", "0%", "0%", "90%", "5%"]
        assert EVIL in rows.nth(11).inner_text()  # as text
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == page.evaluate(OUTSIDE) == []
        metrics.delivered([answered(13, objectId="ZTF26new")], now=0.0)
        page.locator("#latest tr:first-child", has_text="ZTF26new").wait_for()
        metrics.failed("cluster")
        page.locator("#state.bad", has_text="waits for the cluster").wait_for()
        page.close()
    assert said == []
    assert asked == {f"http://{LOCAL}:{port}/", f"http://{LOCAL}:{port}/metrics.json"}
