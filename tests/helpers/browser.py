"""The browser in which pages are tested, where there is one."""

import shutil
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
ABSENT = f"no browser: {', '.join(NAMES)}"


@contextmanager
def launched():
    """The browser, without a window, until it is left."""
    from playwright.sync_api import sync_playwright  # absent with some installations: their tests are skipped

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()
