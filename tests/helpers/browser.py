"""The browser in which pages are tested, where there is one."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
ABSENT = f"no browser: {', '.join(NAMES)}"
