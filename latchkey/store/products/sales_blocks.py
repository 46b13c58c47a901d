"""The blocks of a sales page: what each kind holds, and the list that is stored."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from latchkey.languages import _, written
from latchkey.store.products.places import shifted

Stored = list[dict[str, Any]]
"""Blocks as the database has them. Changes touch those that they are about: others may be of a kind
that only a later release knows."""

MOST = 40
LONGEST = 300_000
"""Blocks of one page, and how many bytes they may have together."""


class TooMuchError(Exception):
    """The page has as many blocks, or as much text, as it can have. The message says which."""


@dataclass(frozen=True)
class TextBlock:
    """`body` is Markdown."""

    body: str


@dataclass(frozen=True)
class PictureBlock:
    """`alt` says what the picture shows to those who don't see it; empty if it only decorates."""

    image_url: str
    alt: str = ""
    caption: str = ""


@dataclass(frozen=True)
class PlansBlock:
    """What the product costs, with a button for each price. An empty `price_line` shows the
    checkout's price, an empty `button` a suitable verb."""

    heading: str = ""
    price_line: str = ""
    button: str = ""


@dataclass(frozen=True)
class Testimonial:
    quote: str
    name: str
    role: str = ""


@dataclass(frozen=True)
class TestimonialsBlock:
    items: tuple[Testimonial, ...]
    heading: str = ""


@dataclass(frozen=True)
class AnsweredQuestion:
    """`answer` is Markdown."""

    question: str
    answer: str


@dataclass(frozen=True)
class QuestionsBlock:
    items: tuple[AnsweredQuestion, ...]
    heading: str = ""


@dataclass(frozen=True)
class VideoBlock:
    """A link to a video, with a picture if there is one."""

    url: str
    title: str = ""
    image_url: str | None = None


@dataclass(frozen=True)
class CountdownBlock:
    """Counts down to `ends_at`, the same moment for everybody. `text` is shown until then, `after`
    from then on. With a `promotion_code` it is when Stripe stops taking that code."""

    ends_at: datetime
    text: str = ""
    after: str = ""
    promotion_code: str = ""

    def over(self, now: datetime) -> bool:
        return self.ends_at <= now


Content = (
    TextBlock
    | PictureBlock
    | PlansBlock
    | TestimonialsBlock
    | QuestionsBlock
    | VideoBlock
    | CountdownBlock
)

KINDS: dict[str, type[Content]] = {
    "text": TextBlock,
    "picture": PictureBlock,
    "plans": PlansBlock,
    "testimonials": TestimonialsBlock,
    "questions": QuestionsBlock,
    "video": VideoBlock,
    "countdown": CountdownBlock,
}
_NAMES = {shape: name for name, shape in KINDS.items()}
_READERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(shape) for name, shape in KINDS.items()}


@dataclass(frozen=True)
class Block:
    """`edition` counts how often it was saved."""

    id: str
    content: Content
    edition: int = 1

    @property
    def kind(self) -> str:
        return _NAMES[type(self.content)]


def new_id() -> str:
    return f"blk_{secrets.token_hex(8)}"


def kind_of(content: Content) -> str:
    return _NAMES[type(content)]


def as_stored(blocks: Sequence[Block]) -> Stored:
    return [_as_stored(block) for block in blocks]


def _as_stored(block: Block) -> dict[str, Any]:
    content = asdict(block.content)
    if isinstance(block.content, CountdownBlock):
        content["ends_at"] = block.content.ends_at.isoformat()
    return {"id": block.id, "kind": block.kind, "edition": block.edition, "content": content}


def read(stored: Stored) -> tuple[Block, ...]:
    """The blocks that this release knows, in their order."""
    return tuple(block for entry in stored if (block := _read(entry)))


def _read(entry: Mapping[str, Any]) -> Block | None:
    reader = _READERS.get(str(entry.get("kind")))
    if reader is None:
        return None
    try:
        return Block(str(entry["id"]), reader.validate_python(entry["content"]), entry["edition"])
    except (KeyError, ValidationError):
        return None


def in_one_text(
    *, body: str, image_url: str | None, price_line: str, button: str
) -> tuple[Block, ...]:
    """A page from before there were blocks. Their ids are the same each time it is read."""
    parts: list[tuple[str, Content]] = []
    if image_url:
        parts.append(("blk_picture", PictureBlock(image_url)))
    if body.strip():
        parts.append(("blk_text", TextBlock(body)))
    parts.append(("blk_plans", PlansBlock(price_line=price_line, button=button)))
    return tuple(Block(block_id, content) for block_id, content in parts)


def as_one_text(blocks: Sequence[Block]) -> dict[str, Any]:
    """The columns by which a release that doesn't know blocks shows the page: the first picture,
    the prices, and everything else as Markdown."""
    contents = [block.content for block in blocks]
    plans = next((one for one in contents if isinstance(one, PlansBlock)), PlansBlock())
    picture = next((one for one in contents if isinstance(one, PictureBlock)), None)
    rest = [one for one in contents if one is not picture]
    return {
        "body": "\n\n".join(text for one in rest if (text := _markdown(one))),
        "image_url": picture.image_url if picture else None,
        "price_line": plans.price_line,
        "button": plans.button,
    }


def _markdown(content: Content) -> str:
    match content:
        case TextBlock():
            return content.body
        case TestimonialsBlock():
            parts = [f"> {_flat(one.quote)}\n> ({one.name})" for one in content.items]
        case QuestionsBlock():
            parts = [f"**{one.question}**\n\n{one.answer}" for one in content.items]
        case PictureBlock():
            return f"![](<{content.image_url}>)"
        case VideoBlock():
            picture = f"![](<{content.image_url}>)\n\n" if content.image_url else ""
            return f"{picture}<{content.url}>"
        case PlansBlock() | CountdownBlock():
            return ""
    heading = [f"## {content.heading}"] if content.heading else []
    return "\n\n".join([*heading, *parts])


def _flat(text: str) -> str:
    return " ".join(text.split())


def place(stored: Stored, block: Block) -> Stored:
    """With this block in place of the one with its id, or at the end. Raises `TooMuchError`."""
    entry = _as_stored(block)
    known = index(stored, block.id)
    changed = [*stored, entry] if known is None else [*stored]
    if known is not None:
        changed[known] = entry
    if len(changed) > MOST:
        raise TooMuchError(_("A sales page can have up to %(most)s blocks.", most=MOST))
    size = len(orjson.dumps(changed))
    if size > LONGEST and size > len(orjson.dumps(stored)):
        raise TooMuchError(
            _(
                "All blocks of a page together can have about %(most)s characters. Shorten this"
                " one, or another.",
                most=written(LONGEST),
            )
        )
    return changed


def index(stored: Stored, block_id: str) -> int | None:
    """Where the block is, from 0."""
    return next((n for n, entry in enumerate(stored) if entry.get("id") == block_id), None)


def moved(stored: Stored, block_id: str, *, by: int) -> Stored:
    """With the block so many places further down or, below zero, up, among those that this release
    knows: the others stay behind the ones they followed. An unknown one changes nothing."""
    order = shifted([block.id for block in read(stored)], block_id, by=by)
    wanted = {known: place for place, known in enumerate(order)}
    last, places = -1, []
    for entry in stored:
        last = wanted.get(str(entry.get("id")), last)
        places.append(last)
    ranked = sorted(range(len(stored)), key=lambda number: (places[number], number))
    return [stored[number] for number in ranked]
