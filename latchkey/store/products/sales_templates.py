"""What a new sales page can start from: blocks with sentences to replace."""

from collections.abc import Mapping, Sequence

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

_MEMBERSHIP: tuple[Content, ...] = (
    TextBlock(
        """## What you get

- The main reason to join
- A second reason
- And a third

## Who it is for

Say in two sentences who you made it for, and what they will be able to do.
"""
    ),
    PlansBlock(heading="Join"),
    QuestionsBlock(
        (
            AnsweredQuestion("Can I cancel?", "Yes, at any time, in your account."),
            AnsweredQuestion("How do I pay?", "Say here how people can pay: by card, for example."),
            AnsweredQuestion(
                "What happens after I join?", "Say here what the first day looks like."
            ),
        ),
        heading="Questions",
    ),
)

_COURSE: tuple[Content, ...] = (
    TextBlock(
        """## What you will be able to do

Say in two sentences what is different after the last lesson.

- The first skill
- A second one
- And a third
"""
    ),
    TextBlock(
        """## The lessons

1. The first lesson, in a few words
2. The second one
3. And so on
"""
    ),
    TestimonialsBlock(
        (Testimonial("Put here what somebody who took the course says about it.", "Their name"),),
        heading="What others say",
    ),
    PlansBlock(heading="Start learning"),
    QuestionsBlock(
        (
            AnsweredQuestion(
                "Do I need to know anything before?", "Say here what people should know."
            ),
            AnsweredQuestion("How much time does it take?", "Say here how long the lessons take."),
            AnsweredQuestion("How long can I open it?", "Say here whether access ends, and when."),
        ),
        heading="Questions",
    ),
)

_DOWNLOAD: tuple[Content, ...] = (
    TextBlock(
        """## What is in it

- The first thing
- A second one
- And a third

Say in a sentence which formats the files have, and what people need to open them.
"""
    ),
    PlansBlock(heading="Get it"),
    TextBlock(
        """## How it works

1. You pay once.
2. You get an email with a link.
3. You download it, as often as you like.
"""
    ),
    QuestionsBlock(
        (
            AnsweredQuestion("Are updates included?", "Say here whether newer versions are."),
            AnsweredQuestion(
                "Can I get my money back?", "Say here when you refund, and how to ask."
            ),
        ),
        heading="Questions",
    ),
)

TEMPLATES: Mapping[str, Sequence[Content]] = {
    "membership": _MEMBERSHIP,
    "course": _COURSE,
    "download": _DOWNLOAD,
}


def contents(template: str, *, image_url: str | None) -> list[Content]:
    """The blocks of a template, the product's picture first, if there is one. An unknown template
    is the first one."""
    picture = [PictureBlock(image_url)] if image_url else []
    return [*picture, *TEMPLATES.get(template, _MEMBERSHIP)]
