"""Browser tests: a real browser with a real Latchkey."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from tests.browser.install import find
from tests.conftest import FAILED
from tests.harness import ADMIN, PASSWORD, Latchkey
from tests.npm.install import MODULES

MILLISECONDS = 60_000
"""How long a page may take: only what fails takes as long."""

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SHOWN = 3000
"""Characters of a page's text that a failed test prints."""

OpenPage: TypeAlias = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=MILLISECONDS)
    path = find()
    assert path, "no Chromium: run `python -m tests.browser.install`"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield started
        await started.close()


class Witness:
    """Notes what happens in a test's browser, in order, and tells it if the test fails."""

    def __init__(self) -> None:
        self.contexts: list[BrowserContext] = []
        self._lines: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        self.contexts.append(context)
        context.on("console", self._console)
        context.on("weberror", lambda failure: self._lines.append(f"script error: {failure.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("page", lambda page: page.on("framenavigated", self._navigated))

    async def tell(self, folder: Callable[[], Any]) -> None:
        """Print what was noted and what the pages that are still open show."""
        print("\n".join(["What happened in the browser:", *self._lines]))  # noqa: T201
        for page in [page for context in self.contexts for page in context.pages]:
            try:
                text = (await page.inner_text("body", timeout=5_000))[:SHOWN]
                picture = folder() / "page.png"
                await page.screenshot(path=picture, timeout=10_000)
            except Error as problem:
                print(f"\n{page.url} can't be read: {problem}")  # noqa: T201
            else:
                print(f"\n{page.url}, as in {picture}, shows:\n{text}")  # noqa: T201

    def _console(self, message: ConsoleMessage) -> None:
        self._lines.append(f"console {message.type}: {message.text} {message.location}")

    def _request(self, request: Request) -> None:
        if request.method != "GET":
            self._lines.append(f"{request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        self._lines.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 300 and response.status != 304:
            request = response.request
            self._lines.append(f"{response.status} to {request.method} {request.url}")

    def _navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self._lines.append(f"opened {frame.url}")


@pytest.fixture
async def open_page(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OpenPage]:
    """Opens a page in a session of its own, given the options of `Browser.new_context`."""
    witness = Witness()

    async def opened(**options: Any) -> Page:
        context = await browser.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        witness.watch(context)
        return await context.new_page()

    yield opened
    if FAILED in request.node.stash:
        await witness.tell(lambda: tmp_path_factory.mktemp("browser"))
    for context in witness.contexts:
        await context.close()


@pytest.fixture
async def page(open_page: OpenPage, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A new page. Any error in its console fails the test."""
    made = await open_page(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} {message.location}")
            if message.type == "error" and "status of 4" not in message.text
            else None
        ),
    )
    yield made
    if FAILED not in request.node.stash:
        await made.close()
    assert complaints == []


@pytest.fixture
def axe() -> str:
    """The script that judges how accessible a page is."""
    path = MODULES / "axe-core" / "axe.min.js"
    assert path.exists(), "nothing from npm: run `python -m tests.npm.install`"
    return path.read_text()


async def follow(clicked: Locator) -> None:
    """Click what leads to another page. Wait until it has loaded and its scripts listen: the page
    of before can't answer for it, and nothing interrupts what the click has sent."""
    async with clicked.page.expect_navigation():
        await clicked.click()


async def press(page: Page, button: str) -> None:
    """Send a form by its button, and wait for the page that answers."""
    await follow(page.get_by_role("button", name=button, exact=True))


async def sign_in(page: Page, site: Latchkey) -> None:
    """Sign in as the admin."""
    await page.goto(f"{site.url}/login")
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email", exact=True).fill(ADMIN)
    await form.get_by_label("Password", exact=True).fill(PASSWORD)
    await follow(form.get_by_role("button", name="Sign in", exact=True))
    await expect(page).to_have_url(f"{site.url}/admin")
