"""Reads the lines of another system's export, as an admin has said what its columns hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latchkey import languages
from latchkey.addresses import AddressError, email_key, mailbox
from latchkey.csv_files import LONGEST_CELL
from latchkey.rules import labels
from latchkey.rules.exports import Column
from latchkey.rules.moving import ImportedMember, Refusal, StatusMeaning, meaning
from latchkey.rules.written_dates import DateOrder, UnreadableDateError, end_of
from latchkey.texts import visible

LONGEST_NAME = 200
_STRIPE_ID = re.compile(r"(cus|sub)_[A-Za-z0-9]{1,200}", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """How a file is read: what its columns hold, the product of each plan in it (None: nothing),
    what an admin said that each unknown status means, and the characters between labels."""

    heading: Sequence[str]
    columns: Sequence[Column]
    dates: DateOrder = DateOrder.UNKNOWN
    plans: Mapping[str, str | None] = field(default_factory=dict)
    statuses: Mapping[str, StatusMeaning] = field(default_factory=dict)
    label_ends: str = ",;"


def read(cells: Sequence[str], layout: Layout) -> ImportedMember | Refusal:
    """What a line says. Cells that it lacks are empty."""
    if len(cells) > len(layout.heading):
        return Refusal(
            None,
            f"The line has {len(cells)} cells, and the heading has {len(layout.heading)}. Put"
            " quotes around values with a comma in them.",
        )
    values = _values(cells, layout.columns)
    try:
        email = mailbox(values[Column.EMAIL]).shown
    except AddressError:
        return Refusal(_name(layout, Column.EMAIL), _wrong_address(values[Column.EMAIL]))
    try:
        until = end_of(values[Column.UNTIL], layout.dates)
    except UnreadableDateError as error:
        return Refusal(_name(layout, Column.UNTIL), str(error))
    says = meaning(values[Column.STATUS], layout.statuses)
    if says is StatusMeaning.UNKNOWN:
        return Refusal(
            _name(layout, Column.STATUS),
            f"“{values[Column.STATUS][:80]}” isn't a status that is known here. Say what it means,"
            " on the page with the plans.",
        )
    given = labels.split(visible(values[Column.LABELS], longest=LONGEST_CELL), layout.label_ends)
    if wrong := next((label for label in given if len(label) > labels.LONGEST), None):
        return Refusal(
            _name(layout, Column.LABELS),
            f"“{wrong[:80]}” is longer than the {labels.LONGEST} characters of a label.",
        )
    language = languages.nearest(values[Column.LANGUAGE]) if values[Column.LANGUAGE] else None
    ids = (values[Column.CUSTOMER], values[Column.SUBSCRIPTION])
    return ImportedMember(
        email=email,
        email_key=email_key(email),
        name=visible(values[Column.NAME], longest=LONGEST_NAME) or None,
        locale=language.code if language else None,
        product_id=layout.plans.get(values[Column.PLAN]),
        until=until,
        over=says is StatusMeaning.OVER,
        customer_id=_stripe_id("cus_", ids),
        subscription_id=_stripe_id("sub_", ids),
        labels=given,
    )


def _values(cells: Sequence[str], columns: Sequence[Column]) -> dict[Column, str]:
    values = dict.fromkeys(Column, "")
    for cell, column in zip(cells, columns, strict=False):
        text = cell.strip()
        if column is Column.NAME:
            text = f"{values[column]} {text}".strip()
        values[column] = text
    return values


def _name(layout: Layout, column: Column) -> str | None:
    return layout.heading[list(layout.columns).index(column)] if column in layout.columns else None


def _wrong_address(text: str) -> str:
    if not text:
        return "The email address is missing."
    return f"“{text[:80]}” isn't a valid email address."


def _stripe_id(prefix: str, texts: Sequence[str]) -> str | None:
    """The first of Stripe's ids of a kind. Exports put either kind into one column, and those of
    other systems beside them."""
    return next((t for t in texts if t.startswith(prefix) and _STRIPE_ID.fullmatch(t)), None)
