"""Where the browser is."""

import os
import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "No browser was found. Install Chromium (`apt-get install chromium`) or set BROWSER_PATH to one."


def find_chromium() -> str | None:
    return os.environ.get("BROWSER_PATH") or next((path for path in map(shutil.which, _NAMES) if path), None)
