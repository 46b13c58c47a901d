"""What a new sales page can start from: blocks with sentences to replace, in the language of who
makes the page."""

from collections.abc import Callable, Mapping, Sequence

from latchkey.languages import _
from latchkey.store.products.sales_blocks import (
    AnsweredQuestion,
    Content,
    PictureBlock,
    PlansBlock,
    QuestionsBlock,
    Testimonial,
    TestimonialsBlock,
    TextBlock,
)


def _membership() -> tuple[Content, ...]:
    return (
        TextBlock(
            _(
                "## What you get\n\n"
                "- The main reason to join\n"
                "- A second reason\n"
                "- And a third\n\n"
                "## Who it is for\n\n"
                "Say in two sentences who you made it for, and what they will be able to do."
            )
        ),
        PlansBlock(heading=_("Join")),
        QuestionsBlock(
            (
                AnsweredQuestion(_("Can I cancel?"), _("Yes, at any time, in your account.")),
                AnsweredQuestion(
                    _("How do I pay?"), _("Say here how people can pay: by card, for example.")
                ),
                AnsweredQuestion(
                    _("What happens after I join?"), _("Say here what the first day looks like.")
                ),
            ),
            heading=_("Questions"),
        ),
    )


def _course() -> tuple[Content, ...]:
    return (
        TextBlock(
            _(
                "## What you will be able to do\n\n"
                "Say in two sentences what is different after the last lesson.\n\n"
                "- The first skill\n"
                "- A second one\n"
                "- And a third"
            )
        ),
        TextBlock(
            _(
                "## The lessons\n\n"
                "1. The first lesson, in a few words\n"
                "2. The second one\n"
                "3. And so on"
            )
        ),
        TestimonialsBlock(
            (
                Testimonial(
                    _("Put here what somebody who took the course says about it."), _("Their name")
                ),
            ),
            heading=_("What others say"),
        ),
        PlansBlock(heading=_("Start learning")),
        QuestionsBlock(
            (
                AnsweredQuestion(
                    _("Do I need to know anything before?"), _("Say here what people should know.")
                ),
                AnsweredQuestion(
                    _("How much time does it take?"), _("Say here how long the lessons take.")
                ),
                AnsweredQuestion(
                    _("How long can I open it?"), _("Say here whether access ends, and when.")
                ),
            ),
            heading=_("Questions"),
        ),
    )


def _download() -> tuple[Content, ...]:
    return (
        TextBlock(
            _(
                "## What is in it\n\n"
                "- The first thing\n"
                "- A second one\n"
                "- And a third\n\n"
                "Say in a sentence which formats the files have, and what people need to open them."
            )
        ),
        PlansBlock(heading=_("Get it")),
        TextBlock(
            _(
                "## How it works\n\n"
                "1. You pay once.\n"
                "2. You get an email with a link.\n"
                "3. You download it, as often as you like."
            )
        ),
        QuestionsBlock(
            (
                AnsweredQuestion(
                    _("Are updates included?"), _("Say here whether newer versions are.")
                ),
                AnsweredQuestion(
                    _("Can I get my money back?"), _("Say here when you refund, and how to ask.")
                ),
            ),
            heading=_("Questions"),
        ),
    )


TEMPLATES: Mapping[str, Callable[[], Sequence[Content]]] = {
    "membership": _membership,
    "course": _course,
    "download": _download,
}


def contents(template: str, *, image_url: str | None) -> list[Content]:
    """The blocks of a template, the product's picture first, if there is one. An unknown template
    is the first one."""
    picture = [PictureBlock(image_url)] if image_url else []
    return [*picture, *TEMPLATES.get(template, _membership)()]
