"""The picture of the board in the README, taken of a running demonstration.

`python -m tests.browser.picture --address http://localhost:8000 --email … --password … --date 2026-12-07 FILE`
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import find_chromium


def take(*, address: str, email: str, password: str, date: str, target: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900}, color_scheme="light")
        page.goto(f"{address}/sign-in/")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/")
        page.goto(f"{address}/board/?d={date}")
        page.screenshot(path=target)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--address", "--email", "--password", "--date"):
        parser.add_argument(name, required=True)
    parser.add_argument("target", type=Path)
    take(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
