"""What the columns of other systems' exports hold: which system a header is from, and what each of
its columns is."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from latchkey.rules import labels


class Column(StrEnum):
    """What a column of a file holds."""

    IGNORED = ""
    EMAIL = "email"
    NAME = "name"
    PLAN = "plan"
    UNTIL = "until"
    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    STATUS = "status"
    LANGUAGE = "language"
    LABELS = "labels"


@dataclass(frozen=True)
class KnownExport:
    """A system whose export is recognised by its header: one that has all `marks` of an entry.
    `columns` says what its columns hold, by their names as `plain` writes them. The characters in
    `label_ends` are between the labels in a cell."""

    name: str
    marks: Sequence[frozenset[str]]
    columns: Mapping[str, Column]
    label_ends: str = ",;"


EXPORTS = (
    KnownExport(
        "Patreon",
        (frozenset({"patron status", "email"}),),
        {
            "email": Column.EMAIL,
            "name": Column.NAME,
            "tier": Column.PLAN,
            "patron status": Column.STATUS,
            "access expiration": Column.UNTIL,
        },
    ),
    KnownExport(
        "Ghost",
        (frozenset({"email", "complimentary plan", "stripe customer id"}),),
        {
            "email": Column.EMAIL,
            "name": Column.NAME,
            "tiers": Column.PLAN,
            "products": Column.PLAN,
            "stripe customer id": Column.CUSTOMER,
            "labels": Column.LABELS,
        },
        label_ends=",",
    ),
    KnownExport(
        "Paid Memberships Pro",
        (frozenset({"username", "firstname", "lastname", "membership"}),),
        {
            "email": Column.EMAIL,
            "firstname": Column.NAME,
            "lastname": Column.NAME,
            "membership": Column.PLAN,
            "expires": Column.UNTIL,
            "ended": Column.UNTIL,
            "subscription transaction id": Column.SUBSCRIPTION,
            "status": Column.STATUS,
        },
    ),
    KnownExport(
        "Memberful",
        (frozenset({"memberful id"}),),
        {
            "email": Column.EMAIL,
            "full name": Column.NAME,
            "plan": Column.PLAN,
            "expiration date": Column.UNTIL,
            "stripe customer id": Column.CUSTOMER,
        },
    ),
    KnownExport(
        "MemberPress",
        (
            frozenset({"username", "product id", "expires at"}),
            frozenset({"username", "email", "memberships"}),
            frozenset({"auto rebill", "membership"}),
        ),
        {
            "email": Column.EMAIL,
            "first name": Column.NAME,
            "last name": Column.NAME,
            "name": Column.NAME,
            "membership": Column.PLAN,
            "memberships": Column.PLAN,
            "product id": Column.PLAN,
            "expires at": Column.UNTIL,
            "expires on": Column.UNTIL,
            "subscription": Column.SUBSCRIPTION,
            "subscr num": Column.SUBSCRIPTION,
            "sub num": Column.SUBSCRIPTION,
            "status": Column.STATUS,
        },
    ),
    KnownExport(
        "CustomerHub",
        (
            frozenset({"first name", "last name", "email", "last login"}),
            frozenset({"first name", "last name", "email", "product access"}),
        ),
        {
            "email": Column.EMAIL,
            "first name": Column.NAME,
            "last name": Column.NAME,
            "product access": Column.PLAN,
            "products": Column.PLAN,
        },
    ),
    KnownExport(
        "Latchkey",
        (frozenset({"email", "role", "products", "last seen at", "labels"}),),
        {
            "email": Column.EMAIL,
            "name": Column.NAME,
            "products": Column.PLAN,
            "labels": Column.LABELS,
        },
        label_ends=labels.SEPARATOR.strip(),
    ),
)

COMMON: Mapping[Column, Sequence[str]] = {
    Column.EMAIL: ("email", "e mail", "email address", "user email", "member email", "address"),
    Column.NAME: ("name", "full name", "display name", "member name", "customer name"),
    Column.PLAN: (
        "plan",
        "plan name",
        "membership",
        "membership level",
        "memberships",
        "level",
        "tier",
        "tiers",
        "product",
        "products",
        "product name",
        "product id",
    ),
    Column.UNTIL: (
        "until",
        "access until",
        "access expiration",
        "expires",
        "expires at",
        "expires on",
        "expiration date",
        "expiration",
        "expiry date",
        "expiry",
        "end date",
        "enddate",
        "ends at",
    ),
    Column.CUSTOMER: ("stripe customer id", "stripe customer", "stripe id", "customer id"),
    Column.SUBSCRIPTION: ("stripe subscription id", "stripe subscription", "subscription id"),
    Column.STATUS: ("status", "subscription status", "membership status", "subscription state"),
    Column.LANGUAGE: ("language", "locale", "lang"),
    Column.LABELS: ("labels", "label", "tags", "tag"),
}
"""Names that columns have elsewhere, the surest first."""
_PARTS_OF_NAMES = (("first name", "firstname"), ("last name", "lastname", "surname"))
_BLANKS = re.compile(r"[\s_\-]+")


def plain(name: str) -> str:
    """The name of a column for comparisons: `Stripe_Customer-ID` is `stripe customer id`."""
    return _BLANKS.sub(" ", name).strip().casefold()


def is_heading(cells: Sequence[str]) -> bool:
    """Whether the first line of a file names columns. It doesn't if it holds an address."""
    return not any("@" in cell for cell in cells)


def recognised(heading: Sequence[str]) -> KnownExport | None:
    """The system whose export has this heading."""
    names = {plain(name) for name in heading}
    return next((export for export in EXPORTS if any(mark <= names for mark in export.marks)), None)


def label_ends(heading: Sequence[str]) -> str:
    """The characters that are between labels in a cell of a file with this heading."""
    export = recognised(heading)
    return export.label_ends if export else KnownExport.label_ends


def suggested(heading: Sequence[str]) -> list[Column]:
    """What each column probably holds: as the known export says, else by its name. Only a name may
    stand in two columns."""
    export = recognised(heading)
    names = [plain(name) for name in heading]
    found = [Column.IGNORED] * len(names)
    if export is not None:
        for at, name in enumerate(names):
            column = export.columns.get(name, Column.IGNORED)
            if column is Column.NAME or column not in found:
                found[at] = column
    for column, known in COMMON.items():
        if column not in found:
            place = _first(names, known)
            if place is not None and found[place] is Column.IGNORED:
                found[place] = column
    if Column.NAME not in found:
        for part in _PARTS_OF_NAMES:
            place = _first(names, part)
            if place is not None:
                found[place] = Column.NAME
    return found


def _first(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def problem_with(columns: Sequence[Column], *, called: Callable[[Column], str] = str) -> str | None:
    """Why a choice of columns can't be used; None if it can. `called` says what the reader calls a
    column."""
    if Column.EMAIL not in columns:
        return "Choose the column with the email addresses."
    for column in Column:
        if column not in (Column.IGNORED, Column.NAME) and list(columns).count(column) > 1:
            return f"Choose “{called(column)}” for one column only."
    return None
