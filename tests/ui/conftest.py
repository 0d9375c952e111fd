"""A real Chromium against the live server. Whatever the console says is a failure, and so is what axe finds."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESK, TABLET, PHONE = (1366, 768), (800, 1000), (390, 844)


class Tab:
    """A browser tab that remembers what the console said."""

    def __init__(self, chromium, size, scheme, server):
        phone = size[0] < 500
        self.context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
            is_mobile=phone,
            has_touch=phone,
            base_url=server.url,
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def violations(self) -> list[str]:
        """What axe finds on the page as it stands."""
        self.page.evaluate((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text())
        found = self.page.evaluate("axe.run()")["violations"]
        return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]

    def wider_than_window(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def open_tab(chromium, live_server):
    tabs = []

    def make(size=DESK, scheme="light") -> Tab:
        tabs.append(Tab(chromium, size, scheme, live_server))
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.context.close()


@pytest.fixture
def tab(open_tab):
    return open_tab()
