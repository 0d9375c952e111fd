"""A member of staff at the browser. Every page looked at is checked at the desk's and the phone's width."""

from pathlib import Path
from typing import ClassVar

from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "test-results" / "journeys"
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
# Milliseconds: for a page while the rest of the tests keeps the machine busy, and for workers to finish something.
SLOW, WORK = 30_000, 90_000


class Walk:
    # What was looked at already, in whichever journey.
    looked_at: ClassVar[set[str]] = set()

    def __init__(self, chromium, url: str, name: str):
        self.name = name
        self.context = chromium.new_context(viewport=DESK, base_url=url, reduced_motion="reduce")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SLOW)
        expect.set_options(timeout=SLOW)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{self.page.url}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"{self.page.url}: {error}"))
        self._axe = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()

    def close(self) -> None:
        self.context.close()

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto("/accounts/login/")
        self.look("sign in")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("link", name="Blast Campaigns").or_(self.communication).first).to_be_visible()

    @property
    def communication(self):
        """The megaphone."""
        return self.page.get_by_role("button", name="Communication")

    def open_blasts(self) -> None:
        link = self.page.get_by_role("link", name="Blast Campaigns", exact=True)
        if not link.is_visible():
            self.communication.click()
        link.click()
        self.page.wait_for_url("**/campaigns/blasts/")

    def add_campaign(self, name: str) -> None:
        self.page.get_by_role("link", name="Add Campaign").first.click()
        self.page.wait_for_url("**/blasts/new/")
        self.look("new campaign")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_role("button", name="Next: audience").click()
        self.page.wait_for_url("**/audience/")

    def choose_lapsed(self) -> None:
        """Last visit 6 to 18 months ago, no future appointment, and − the tag "not qualified"."""
        self.page.get_by_label("Patients whose").select_option("last_visit")
        expect(self.page.locator("#audience-panel .bars").first).to_contain_text("last visit 6 to 18 months ago")
        self.add_filter("Has future appointment")
        effects = self.page.locator("#audience-panel .bars").first
        expect(effects).to_contain_text("no future appointment")
        self.add_filter("Tags")
        line = self.page.locator(".builder .line").nth(2)
        line.get_by_role("radio", name="Exclude").check()
        line.get_by_role("checkbox", name="not qualified").check()
        expect(effects).to_contain_text("not tag “not qualified”")

    def add_filter(self, label: str) -> None:
        self.page.get_by_role("button", name="Add filter").click()
        self.page.locator("#filter-menu").get_by_role("button", name=label, exact=True).click()

    def count(self, n: int) -> None:
        expect(self.page.locator("#audience-panel .bignumber .n")).to_have_text(str(n))

    def write(self, channel: str, body: str, subject: str = "") -> None:
        if channel == "email":
            self.page.get_by_role("radio", name="Email").check()
            self.page.get_by_label("Subject").fill(subject)
        self.page.get_by_label("Message", exact=True).fill(body)

    def next(self, step: str) -> None:
        self.page.get_by_role("button", name=f"Next: {step}").click()
        self.page.wait_for_url(f"**/{step}/")

    def ready(self) -> Locator:
        """The toggle, once nothing stands in the way; it says what does."""
        toggle = self.page.get_by_role("switch", name="Send this campaign")
        expect(self.page.locator(".blockers li")).to_have_text([])
        expect(toggle).to_be_enabled()
        return toggle

    def switch_on(self) -> None:
        self.ready().click()
        expect(self.page.locator("#campaign-state")).not_to_contain_text("Disabled")

    def look(self, what: str) -> None:
        """Axe, overflow and a screenshot at both widths, once for each page: `what` names it."""
        if what in self.looked_at:
            return
        self.looked_at.add(what)
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)
            self.shot(f"{what} {size['width']}")
            found = self._violations()
            assert not found, f"{what} at {size['width']}: {found}"
            wider = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wider <= 0, f"{what} is {wider} px wider than {size['width']}"

    def shot(self, what: str) -> Path:
        """Under test-results/, which git leaves alone. The caret stays: hiding it breaks the page's policy."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{self.name} {what}.png".replace(" ", "-")
        self.page.screenshot(path=path, caret="initial", full_page=True)
        return path

    def _violations(self) -> list[str]:
        self.page.evaluate(self._axe)
        # A mail in its frame may run nothing, so nothing can look into it either.
        found = self.page.evaluate("axe.run(document, {iframes: false})")["violations"]
        return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]
