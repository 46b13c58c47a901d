"""Input models and validators that forms and the JSON API share."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from latchkey.addresses import AddressError, mailbox
from latchkey.languages import A_
from latchkey.rules import labels
from latchkey.rules.lessons import MOST_DAYS
from latchkey.rules.pictures import of_address
from latchkey.texts import is_web_address, on_one_line, storable

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Input(BaseModel):
    """Base of all inputs: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError(A_("must start with https://"))
    if not is_web_address(value):
        raise ValueError(
            A_("must be a web address with a host, without blanks or control characters")
        )
    if value.startswith("http://") and urlsplit(value).hostname not in _THIS_MACHINE:
        raise ValueError(A_("must start with https://"))
    return value


def _picture_address(value: str) -> str:
    return value if of_address(value) else _web_address(value)


def _one_line(value: str) -> str:
    if not on_one_line(value):
        raise ValueError(A_("must be a single line without control characters"))
    return value


def _named(value: str) -> str:
    if not value.strip():
        raise ValueError(A_("must not be empty"))
    return _one_line(value)


def _label(value: str) -> str:
    if labels.SEPARATOR.strip() in value:
        raise ValueError(A_("must not contain a semicolon"))
    return _named(value)


def _storable(value: str) -> str:
    if not storable(value):
        raise ValueError(A_("must not contain a NUL character"))
    return value


Name = Annotated[
    str, Field(max_length=200, json_schema_extra={"minLength": 1}), AfterValidator(_named)
]
UserLabel = Annotated[
    str,
    Field(max_length=labels.LONGEST, json_schema_extra={"minLength": 1, "pattern": "^[^;]+$"}),
    AfterValidator(_label),
]
Line = Annotated[str, AfterValidator(_one_line)]
Slug = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Url = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"pattern": "^https://"}),
    AfterValidator(_web_address),
]
PictureUrl = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"pattern": "^https://"}),
    AfterValidator(_picture_address),
]
"""A web address, or the path of an uploaded picture."""

Text = Annotated[str, Field(max_length=5000), AfterValidator(_storable)]
Markdown = Annotated[str, Field(max_length=200_000), AfterValidator(_storable)]


class ProductChanges(Input):
    """What can be changed; anything left out stays as it is."""

    name: Name | None = None
    slug: Slug | None = None
    description: Text | None = None
    image_url: PictureUrl | None = None
    status: Literal["draft", "live"] | None = None
    access_mode: Literal["assigned", "signed_in", "public"] | None = None
    access_mail: bool | None = None
    content: Markdown | None = None
    content_url: Url | None = None
    purchase_method: Literal["none", "sales_page", "checkout"] | None = None
    checkout_target: Literal["stripe", "payment_link", "external"] | None = None
    external_url: Url | None = None
    show_locked: bool | None = None
    one_trial: bool | None = None


class NewProduct(ProductChanges):
    """A product to create. If the slug is omitted, it is derived from the name."""

    name: Name


class LessonChanges(Input):
    """What can be changed; anything left out stays as it is."""

    title: Name | None = None
    body: Markdown | None = None
    video_url: Url | None = None
    released_after_days: int | None = Field(None, ge=0, le=MOST_DAYS)
    status: Literal["draft", "live"] | None = None


class NewLesson(LessonChanges):
    """A lesson to create."""

    title: Name


def shown_address(text: str) -> str | None:
    """An email address as it is stored, None if it isn't the address of one mailbox."""
    try:
        return _address(text)
    except AddressError:
        return None


def _address(text: str) -> str:
    return mailbox(text).shown


_ANY_TIME, _ANY_DAY = TypeAdapter(AwareDatetime), TypeAdapter(date)


def _rfc_3339(value: object) -> object:
    """Pydantic also takes numbers as times: `0.5` would be half a second after 1970 began."""
    if isinstance(value, str) and not _TIME.fullmatch(value.strip()):
        raise ValueError(A_("must be a time with a time zone, such as 2027-01-31T12:00:00Z"))
    return _ANY_TIME.validate_python(value) if isinstance(value, str) else value


def _iso_day(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value.strip()):
        raise ValueError(A_("must be a day, such as 2027-01-31"))
    return _ANY_DAY.validate_python(value) if isinstance(value, str) else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(A_("must be a time between the years 1 and 9999")) from None


def sensible_end(value: datetime) -> datetime:
    """An end of access, in UTC. Raises `ValueError` for a year that can only be a slip."""
    moment = _in_utc(value)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(A_("must be a time between the years 2000 and 9998"))
    return moment


FIRST_YEAR, LAST_YEAR = 2000, 9998
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(_in_utc)]
Until = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(sensible_end)]
Day = Annotated[date, BeforeValidator(_iso_day)]
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Email = Annotated[
    str,
    Field(max_length=254, json_schema_extra={"format": "email"}),
    AfterValidator(_address),
]


class NewGrant(Input):
    """Complimentary access, without an end or until a time with a time zone."""

    email: Email
    until: Until | None = None
    reason: str | None = Field(None, max_length=1000)
    mail: bool = Field(
        True,
        description="send people who had no access an email, if the product's access email is on",
    )


class NewPrice(Input):
    """A Stripe product to create, with its price in the currency's minor unit."""

    amount: int = Field(ge=0, le=99_999_999)
    currency: str = Field(pattern=r"^[a-zA-Z]{3}$")
    interval: Literal["day", "week", "month", "year"] | None = None


class LinkTo(Input):
    """An existing Stripe product or one to create. `members` is for replacing another link."""

    stripe_product: str | None = Field(None, min_length=1, max_length=200)
    create: NewPrice | None = None
    mail: Literal["send", "suppress", "spread"] = "send"
    members: Literal["keep", "end", "complimentary"] | None = None
    invoices: Literal["none", "year", "all"] = Field(
        "year", description="which past one-off invoices to import"
    )

    @model_validator(mode="after")
    def _one(self) -> "LinkTo":
        if (self.stripe_product is None) == (self.create is None):
            raise ValueError(A_("give exactly one of `stripe_product` and `create`"))
        return self


class NewCollection(Input):
    """Products that are granted together, by id."""

    name: Name
    description: Text = ""
    products: list[str] = Field(default_factory=list, max_length=500)
