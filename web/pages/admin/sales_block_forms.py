"""The forms of a sales page's blocks: what they show of a block, and the block that was typed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from latchkey.languages import A_, _
from latchkey.store.products import sales_blocks
from latchkey.store.products.sales_blocks import (
    AnsweredQuestion,
    Content,
    CountdownBlock,
    PictureBlock,
    PlansBlock,
    QuestionsBlock,
    Testimonial,
    TestimonialsBlock,
    TextBlock,
    VideoBlock,
)
from web.inputs import Input, Line, Markdown, PictureUrl, Text, Url, sensible_end
from web.pages.admin.promotion_form import CODE
from web.pages.errors import errors_of
from web.wording.times import chosen


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError(A_("must not be empty"))
    return value


def _code(value: str) -> str:
    if value and not re.fullmatch(CODE, value):
        raise ValueError(A_("must be letters, digits, - and _ only, up to 100"))
    return value


Heading = Annotated[Line, Field(max_length=200)]
FilledLine = Annotated[Line, Field(max_length=300), AfterValidator(_filled)]
FilledText = Annotated[Text, AfterValidator(_filled)]


class TextForm(Input):
    body: Annotated[Markdown, AfterValidator(_filled)]


class PictureForm(Input):
    image_url: Annotated[PictureUrl, AfterValidator(_filled)]
    alt: Heading
    caption: Heading


class PlansForm(Input):
    heading: Heading
    price_line: Heading
    button: Annotated[Line, Field(max_length=60)]


class VideoForm(Input):
    url: Url
    title: Heading
    image_url: Annotated[PictureUrl | None, BeforeValidator(lambda given: given or None)]


class CountdownForm(Input):
    """`kept` is the end that the form was shown with, `ends_at` one that was typed in `zone`."""

    ends_at: str = Field(max_length=40)
    kept: str = Field(max_length=40)
    zone: str = Field(max_length=100)
    text: Heading
    after: Heading
    promotion_code: Annotated[str, AfterValidator(_code)]


class HeadingForm(Input):
    heading: Heading


class TestimonialForm(Input):
    quote: FilledText
    name: FilledLine
    role: Heading


class QuestionForm(Input):
    question: FilledLine
    answer: FilledText


@dataclass(frozen=True)
class BlockKind:
    """A kind of block: its name, what it is good for, and the form that checks it. `rows` are the
    things that it has several of, `most` how many."""

    name: str
    label: str
    hint: str
    form: type[Input]
    shape: type[Content]
    row_form: type[Input] | None = None
    row: type[Testimonial] | type[AnsweredQuestion] | None = None
    most: int = 0
    build: Callable[..., Content] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.form.model_fields)

    @property
    def row_names(self) -> tuple[str, ...]:
        return tuple(self.row_form.model_fields) if self.row_form else ()

    @property
    def has_picture(self) -> bool:
        return "image_url" in self.names


class InvalidBlockError(Exception):
    """What was typed isn't a block. `errors` are sentences by the name of their field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("the block is invalid")
        self.errors = errors


def _countdown(*, ends_at: str, kept: str, zone: str, **texts: str) -> CountdownBlock:
    try:
        typed = chosen(ends_at, zone)
    except ValueError as error:
        raise InvalidBlockError({"ends_at": str(error)}) from None
    try:
        moment = sensible_end(typed or datetime.fromisoformat(kept))
    except ValueError as error:
        say = _("This %(error)s.", error=error) if typed else _("Enter when it ends.")
        raise InvalidBlockError({"ends_at": say}) from None
    if typed and moment <= datetime.now(UTC):
        raise InvalidBlockError({"ends_at": _("This is in the past. Enter a moment to come.")})
    return CountdownBlock(moment, **texts)


KINDS = {
    kind.name: kind
    for kind in (
        BlockKind(
            "text", A_("Text"), A_("Headings, paragraphs, lists and links"), TextForm, TextBlock
        ),
        BlockKind(
            "picture",
            A_("Picture"),
            A_("With a caption, if it needs one"),
            PictureForm,
            PictureBlock,
        ),
        BlockKind(
            "plans", A_("Plans"), A_("The prices, each with its button"), PlansForm, PlansBlock
        ),
        BlockKind(
            "testimonials",
            A_("Testimonials"),
            A_("What others say about it"),
            HeadingForm,
            TestimonialsBlock,
            row_form=TestimonialForm,
            row=Testimonial,
            most=12,
        ),
        BlockKind(
            "questions",
            A_("Questions"),
            A_("Answers that open at a click"),
            HeadingForm,
            QuestionsBlock,
            row_form=QuestionForm,
            row=AnsweredQuestion,
            most=20,
        ),
        BlockKind(
            "video", A_("Video"), A_("A picture that leads to a video"), VideoForm, VideoBlock
        ),
        BlockKind(
            "countdown",
            A_("Countdown"),
            A_("To a moment at which an offer really ends"),
            CountdownForm,
            CountdownBlock,
            build=_countdown,
        ),
    )
}
assert KINDS.keys() == sales_blocks.KINDS.keys(), "each kind of block has a form"

ROWS, MORE = 3, 3
"""How many rows a form has at least, and how many more a press on *More rows* adds."""


def values_of(content: Content) -> dict[str, str]:
    """The fields of the form that shows a block."""
    values: dict[str, str] = {}
    for name, value in asdict(content).items():
        if isinstance(value, datetime):
            values["kept"] = value.isoformat()
            continue
        if name != "items":
            values[name] = value or ""
            continue
        for number, item in enumerate(value):
            values |= {f"{part}-{number}": text for part, text in item.items()}
    return values


def field_names(kind: BlockKind) -> list[str]:
    """The names of all fields that a form of this kind can have."""
    rows = [f"{part}-{number}" for number in range(kind.most) for part in kind.row_names]
    return [*kind.names, *rows]


def rows_of(kind: BlockKind, values: Mapping[str, str], *, more: bool = False) -> int:
    """How many rows the form shows: an empty one at least, until there are as many as can be."""
    filled = [
        number
        for number in range(kind.most)
        if any(values.get(f"{part}-{number}") for part in kind.row_names)
    ]
    shown = max(ROWS, max(filled, default=-1) + 2) + (MORE if more else 0)
    return min(shown, kind.most)


def content_of(kind: BlockKind, values: Mapping[str, str]) -> Content:
    """The block that was typed. Rows with nothing in them are left out.

    Raises `InvalidBlockError`.
    """
    errors: dict[str, str] = {}
    checked: dict[str, Any] = {}
    try:
        typed = {name: values.get(name, "") for name in kind.names}
        checked = kind.form.model_validate(typed).model_dump()
    except ValidationError as error:
        errors |= errors_of(error)
    if kind.row_form and kind.row:
        items, wrong = _items(kind, kind.row_form, kind.row, values)
        errors |= wrong
        checked["items"] = items
    if errors:
        raise InvalidBlockError(errors)
    return (kind.build or kind.shape)(**checked)


def _items(
    kind: BlockKind,
    row_form: type[Input],
    row: type[Testimonial] | type[AnsweredQuestion],
    values: Mapping[str, str],
) -> tuple[tuple[Testimonial | AnsweredQuestion, ...], dict[str, str]]:
    items: list[Testimonial | AnsweredQuestion] = []
    errors: dict[str, str] = {}
    for number in range(kind.most):
        typed = {name: values.get(f"{name}-{number}", "") for name in kind.row_names}
        if not any(typed.values()):
            continue
        try:
            items.append(row(**row_form.model_validate(typed).model_dump()))
        except ValidationError as error:
            errors |= {f"{name}-{number}": say for name, say in errors_of(error).items()}
    if not items and not errors:
        errors[f"{kind.row_names[0]}-0"] = _("Enter at least one.")
    return tuple(items), errors


def summary(content: Content) -> str:
    """What the list of blocks shows of a block."""
    match content:
        case TextBlock():
            return next(
                (line.strip("# *->") for line in content.body.splitlines() if line.strip()), ""
            )
        case PictureBlock():
            return content.alt or content.caption
        case PlansBlock():
            return content.heading or content.price_line
        case TestimonialsBlock():
            return ", ".join(item.name for item in content.items)
        case QuestionsBlock():
            return ", ".join(item.question for item in content.items)
        case VideoBlock():
            return content.title or content.url
        case CountdownBlock():
            return content.text
