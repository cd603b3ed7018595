"""The page in a real browser: alerts in, pictures out, on a desk and on a phone, by mouse and by keys.

Skipped where there is no Chromium, or no Playwright.
"""

import json

import pytest

from data_prep.simulate.packets import encode_file
from helpers.browser import ABSENT, BROWSER, launched
from helpers.made_service import CANDID, client_of, made_run, made_service, packet, packet_without_images
from helpers.make_packets import alert

pytest.importorskip("playwright.sync_api", reason="no browser test without Playwright")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason=ABSENT)]
MILLISECONDS = 300_000
WIDTHS = (360, 1280)
CIRCLES, MARKS = (f"[...document.querySelectorAll('#course .plot > {name}')]" for name in ("circle", "text.small"))
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with client_of(made_service(made_run(tmp_path_factory.mktemp("model")))) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(params=WIDTHS)
def opened(browser, client, request):
    """The page, and what its console says and where it asks."""
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    page, seen = context.new_page(), {"console": [], "asked": []}
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda message: seen["console"].append(message.text))
    page.on("pageerror", lambda error: seen["console"].append(str(error)))
    page.on("request", lambda asked: seen["asked"].append(asked.url))
    page.goto(str(client.base_url))
    yield page, seen
    context.close()


def give(page, **files):
    page.set_input_files("#files", [{"name": name, "mimeType": "", "buffer": body} for name, body in files.items()])


def is_explained(page):
    page.locator("#whystatus", has_text="This shows what the prediction depends on").wait_for()


def test_an_alert_is_shown_and_explained(opened, client):
    page, seen = opened
    give(page, one=packet())
    is_explained(page)
    (answer,) = client.post("/classify?trajectory=true", content=packet()).json()["answers"]
    likely = answer["probabilities"][answer["class"]]
    assert page.locator("#headline").inner_text() == f"{answer['class']} {100 * likely:.1f} %"
    assert f"Alert {CANDID} of" in page.locator("#facts").inner_text()
    assert page.locator("#stamps img").count() == 3
    assert page.locator("#hidden img").count() == 6
    assert page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
    assert page.locator("#rows tbody tr").count() == len(answer["trajectory"])
    assert page.locator("#parts rect").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert seen["console"] == []
    assert all(url.startswith((str(client.base_url), "data:")) for url in seen["asked"])


def test_stamps_come_with_the_answer_and_do_not_wait_for_its_reasons(opened):
    page, _ = opened
    page.route("**/explain?*", lambda route: None)  # it never answers
    give(page, one=packet())
    page.locator("#stamps img").nth(2).wait_for()
    assert page.locator("#whystatus").inner_text() == "Asking what the answer rests on …"


def test_no_column_of_a_long_table_is_out_of_sight(opened):
    page, _ = opened
    give(page, many=encode_file([alert(f"ZTF18{'abwmzyq'[i:] + 'mwwmmww'[:i]}", i + 1) for i in range(7)]))
    page.locator("#table tbody tr").nth(6).wait_for()
    page.evaluate("[...document.querySelectorAll('#table td:nth-child(3)')].forEach((at) => at.append('asteroid'))")
    room = page.evaluate("document.querySelector('#alerts .scroll').getBoundingClientRect().right")
    ends = page.evaluate(
        "[...document.querySelectorAll('#table tr > :last-child')].map((at) => at.getBoundingClientRect().right)"
    )
    assert max(ends) <= room + 0.5


def test_brighter_is_higher_and_rows_are_read_by_keys(opened, client):
    page, _ = opened
    give(page, one=packet())
    plot = page.locator("#course .plot")
    plot.wait_for()
    fills = page.evaluate(f"{CIRCLES}.map((at) => at.getAttribute('fill'))")
    assert "none" in fills  # fainter than the reference
    marks = page.evaluate(f"{MARKS}.map((at) => [Number(at.textContent), Number(at.getAttribute('y'))])")
    heights = [height for value, height in sorted(marks) if 15 < value < 25]
    assert len(heights) > 1
    assert heights == sorted(heights)
    plot.focus()
    last = page.locator("#readout").inner_text()
    assert last.startswith("The alert: seen")
    page.keyboard.press("Home")
    assert "20.00 days before" in page.locator("#readout").inner_text()
    assert plot.get_attribute("aria-valuenow") == "1"
    page.keyboard.press("ArrowRight")
    assert "not seen, limit" in plot.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    assert page.locator("#readout").inner_text() == last


def test_several_are_a_table_and_what_cannot_be_used_is_named(opened):
    page, seen = opened
    evil = encode_file([alert(EVIL, 9)])
    give(page, two=packet() + evil, bad=packet_without_images(), none=b"nothing")
    page.locator(".trouble").nth(1).wait_for()
    assert page.locator("#table tbody tr").count() == 2
    troubles = page.locator(".trouble").all_inner_texts()
    assert any("missing_stamp" in text for text in troubles)
    assert any("not_avro" in text for text in troubles)
    second = page.locator("#table tbody button").nth(1)
    second.focus()
    page.keyboard.press("Enter")
    page.locator("#name", has_text=EVIL).wait_for()  # as text
    is_explained(page)
    assert page.locator("#detail img[src=x]").count() == 0
    failures = [text for text in seen["console"] if "status of 422" not in text]
    assert json.dumps(failures) == "[]"


def test_simulated_alerts_are_at_hand(browser, client):
    page = browser.new_page(color_scheme="dark")
    page.set_default_timeout(MILLISECONDS)
    page.goto(str(client.base_url))
    page.get_by_role("button", name="Try simulated alerts").click()
    page.locator("#table tbody tr").nth(4).wait_for()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 60
    page.close()
