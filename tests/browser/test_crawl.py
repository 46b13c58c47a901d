"""Opens every link of every role: no errors, no console messages, no serious axe findings in light
or dark mode, and nothing wider than a phone or a laptop. In German, no English is left on the pages
of the team."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from playwright.async_api import ConsoleMessage, Page
from starlette.routing import Match, Route

from latchkey import signin_links
from tests.browser.conftest import OpenPage, press, sign_in
from tests.browser.world import World, furnish
from tests.harness import SECRETS, Latchkey
from tests.web.english import GERMAN, english
from web import pages

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow, pytest.mark.longest]

WIDTHS = (1280, 320)
OFFICE = ("owner", "admin", "support")
"""Admins see what owners see and support a part of it: axe looks at a page with the first of them
that has it, and at all pages of visitors and members, which differ."""

OF_A_KIND = 2
"""How many pages of one route with the same filters are opened."""

SERIOUS = ("serious", "critical")
AXE = """
async (options) => {
  const lean = { iframes: false, preload: false, selectors: false, resultTypes: ["violations"] };
  const found = await axe.run(document, { ...lean, ...options });
  return found.violations.map((v) => [v.impact, v.id, v.help,
                                      v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))]);
}
"""

STILL = """
() => {
  for (const change of ["htmx:beforeRequest", "htmx:beforeSwap"]) {
    document.addEventListener(change, (event) => event.preventDefault());
  }
}
"""
"""Has a page refresh nothing more: axe sees black text where a part is replaced while it looks."""

DAMAGE = """
() => {
  const made = new CSSStyleSheet();
  made.replaceSync("h1 { color: #eee !important; background: #fff !important; width: 2000px }");
  document.adoptedStyleSheets = [made];
}
"""


@dataclass
class Crawl:
    """One role's walk through the site."""

    site: Latchkey
    page: Page
    axe: str
    judged: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)

    async def run(self, *starts: str) -> None:
        self.page.on("pageerror", lambda error: self._note(f"script error: {error}"))
        self.page.on("console", self._console)
        todo = [f"{self.site.url}{path}" for path in starts]
        while todo:
            address = todo.pop(0)
            if address in self.seen:
                continue
            self.seen.add(address)
            kind = kind_of(address)
            self.kinds[kind] += 1
            if self.kinds[kind] <= OF_A_KIND:
                todo += await self._open(address, again=self.kinds[kind] > 1)

    async def _open(self, address: str, *, again: bool) -> list[str]:
        if address in self.files or urlsplit(address).path.endswith((".csv", ".json")):
            file = await self.page.context.request.get(address)
            if file.status != 200:
                self._note(f"{address}: {file.status}")
            return []
        answer = await self.page.goto(address)
        assert answer, address
        locked = answer.status == 403 and kind_of(address).startswith("/products/")
        if answer.status >= 400 and not locked:
            self._note(f"{answer.status}")
            return []
        if not self.page.url.startswith(self.site.url):
            return []
        self.opened.append(address)
        links: list[str] = await self.page.eval_on_selector_all(
            "a[href]", "all => all.map((a) => a.href.baseVal ?? a.href)"
        )
        self.files |= set(
            await self.page.eval_on_selector_all("a[download]", "all => all.map((a) => a.href)")
        )
        if not again:
            await self.judge(kind_of(address))
        ours = [urljoin(self.site.url, link).partition("#")[0] for link in links]
        return [link for link in ours if link.startswith(self.site.url)]

    async def judge(self, kind: str) -> None:
        """Check the current page at both widths and in both colour schemes. It begins with the
        width that the page has: laying it out again takes as long as running a few of axe's rules.
        """
        new = kind not in self.judged
        self.judged.add(kind)
        if new:
            await self.page.evaluate(STILL)
            await self.page.evaluate(self.axe)
        now = self.page.viewport_size
        for width in sorted(WIDTHS, key=lambda width: now is None or width != now["width"]):
            await self.page.set_viewport_size({"width": width, "height": 800})
            wide = await self.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                self._note(f"is {wide} wide at {width}")
            if new:
                await self._axe(f"at {width}", {})
                await self.page.emulate_media(color_scheme="dark")
                await self._axe(f"at {width} in the dark", {"runOnly": ["color-contrast"]})
                await self.page.emulate_media(color_scheme="light")

    async def narrow(self, path: str) -> None:
        """Check a page on a phone."""
        await self.page.set_viewport_size({"width": 320, "height": 800})
        await self.page.goto(f"{self.site.url}{path}")
        wide = await self.page.evaluate("document.documentElement.scrollWidth")
        if wide > 320:
            self._note(f"is {wide} wide at 320")
        await self.page.evaluate(self.axe)
        await self._axe("at 320", {})

    async def in_german(self) -> None:
        """Read the opened pages again in German. Nothing is laid out: that would take as long as
        the crawl itself."""
        request = self.page.context.request
        for address in self.opened:
            answer = await request.get(address, headers={"accept-language": GERMAN.code})
            text = await answer.text()
            if f'<html lang="{GERMAN.code}"' not in text:
                self.problems.append(f"{address}: isn't in German")
            self.problems += [f"{address}: English: {left}" for left in english(address, text)]

    async def _axe(self, where: str, options: dict[str, list[str]]) -> None:
        for impact, rule, words, nodes in await self.page.evaluate(AXE, options):
            if impact in SERIOUS:
                self._note(f"axe {where}: {rule}: {words}: {nodes}")

    def _console(self, message: ConsoleMessage) -> None:
        """Statuses are checked with their page: a locked product answers 403."""
        if "the server responded with a status" not in message.text:
            self._note(f"console: {message.text}")

    def _note(self, problem: str) -> None:
        self.problems.append(f"{self.page.url}: {problem}")


@cache
def all_pages() -> list[Route]:
    """Every page's route. To make them takes longer than to open a page."""
    return pages.routes()


def kind_of(address: str) -> str:
    """The route of a URL with the names of its filters, since pages of one kind are alike. A
    filtered list that is sorted, too, is like the filtered one."""
    parts = urlsplit(address)
    scope = {"type": "http", "path": parts.path, "method": "GET", "headers": []}
    for route in all_pages():
        if route.matches(scope)[0] == Match.FULL:
            names = {name for name, _ in parse_qsl(parts.query)}
            return f"{route.path}?{'&'.join(sorted(names - {'sort'} or names))}"
    return address


@pytest.fixture
async def world(site: Latchkey) -> World:
    return await furnish(site)


async def as_user(page: Page, site: Latchkey, user: int) -> None:
    """Sign in as anybody."""
    link = signin_links.sign(user, f"crawl-{user}", secrets=SECRETS)
    await page.goto(f"{site.url}/login/{link}")
    await press(page, "Sign in")
    await page.wait_for_url(re.compile(r"/(admin|library|account)"))


async def in_other_languages(crawl: Crawl, member: int) -> None:
    """What a member sees on a phone in a language with long words, and in one from right to left.
    What pages say in each language is read in `tests/web/test_languages.py`."""
    change = "update users set locale = $2 where id = $1"
    for language in ("de", "ar"):
        await crawl.site.pool.execute(change, member, language)
        for path in ("/library", "/account", "/account/settings", "/account/security", "/nowhere"):
            await crawl.narrow(path)
        assert await crawl.page.locator("html").get_attribute("lang") == language
    await crawl.site.pool.execute(change, member, None)


async def test_every_page_of_every_role(
    site: Latchkey, world: World, open_page: OpenPage, axe: str
) -> None:
    problems: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    office: set[str] = set()
    for role in ("visitor", "member", *OFFICE):
        page = await open_page()
        if role == "owner":
            await sign_in(page, site)
        elif role != "visitor":
            await as_user(page, site, {"member": world.member, **world.staff}[role])
        crawl = Crawl(site, page, axe, judged=office if role in OFFICE else set())
        await crawl.run("/", "/library", "/login", *(["/admin"] if role in OFFICE else []))
        if role == "member":
            await in_other_languages(crawl, world.member)
        problems[role] = crawl.problems
        sizes[role] = len(crawl.kinds)
        if role == "owner":
            await crawl.in_german()
            ours = await page.context.request.get(f"{site.url}/admin")
            assert len(english("/admin", await ours.text())) > 10, "English is seen"
            await page.goto(f"{site.url}/admin")
            await page.evaluate(DAMAGE)
            doubtful = Crawl(site, page, axe)
            await doubtful.judge("/admin")
            seen = [line for line in doubtful.problems if "color-contrast" in line]
            assert len(seen) == 4, "axe sees nothing"
            assert sum("in the dark" in line for line in seen) == 2
            assert any("wide at 320" in line for line in doubtful.problems)
        await page.context.close()
    text = "\n".join(f"{role}: {line}" for role, lines in problems.items() for line in lines)
    assert not text, text
    assert sizes["owner"] > 40, sizes
    assert sizes["member"] >= 5, sizes
