"""Markdown that people wrote, as HTML, without keeping the event loop from other requests."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

LONGEST = 200_000
"""Characters. The time to render grows with the length, whatever the text: a few seconds here."""

SHORT = 2_000
SECONDS = 10.0
_TOO_LONG = Markup("<p>This text is too long to be shown: it has more than 200,000 characters.</p>")
_TOO_SLOW = Markup("<p>This text can't be shown: formatting it takes too long.</p>")

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_threads = ThreadPoolExecutor(2, thread_name_prefix="markdown")


async def rendered(text: str) -> Markup:
    """Markdown as sanitised HTML; a sentence instead if the text is too long or takes too long.

    Long texts are rendered in one of two threads, so a hostile one holds up other long texts at
    most. The newest results are kept.
    """
    [html] = await all_rendered([text])
    return html


async def all_rendered(texts: Sequence[str]) -> list[Markup]:
    """The texts of a page, each as by `rendered`. Many short ones are treated like a long one."""
    if sum(map(len, texts)) <= SHORT:
        return [_html(text) for text in texts]
    return [await _patiently(text) for text in texts]


async def _patiently(text: str) -> Markup:
    if len(text) > LONGEST:
        return _TOO_LONG
    rendering = asyncio.get_running_loop().run_in_executor(_threads, _kept, text)
    try:
        return await asyncio.wait_for(rendering, SECONDS)
    except TimeoutError:
        return _TOO_SLOW


@lru_cache(maxsize=64)
def short(text: str) -> Markup:
    """The first `SHORT` characters of Markdown as sanitised HTML, at once."""
    return _html(text[:SHORT])


def _html(text: str) -> Markup:
    return Markup(nh3.clean(_MARKDOWN.render(text)))


@lru_cache(maxsize=32)
def _kept(text: str) -> Markup:
    return _html(text)
