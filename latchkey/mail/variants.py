"""The variants of emails whose text can be replaced, and the variables in each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from latchkey import languages
from latchkey.languages import A_, Language
from latchkey.mail.letters import KINDS, Letter, facts_of, letter
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.feed.mails import OutMail
from latchkey.store.mail_texts import MailText
from latchkey.store.site_settings import SiteSettings
from latchkey.variables import filled

EVERYWHERE = {
    "site": A_("the site's name"),
    "email": A_("the address that the email goes to"),
}
VARIABLES = EVERYWHERE | {
    "products": A_("the names of the products"),
    "ends": A_("the day on which it ends"),
    "until": A_("the last day on which the card is valid"),
    "billed": A_("the day of the next payment"),
    "code": A_("the promotion code"),
    "account": A_("the address of the other account"),
    "address": A_("the address that was paid with"),
    "kept": A_("the address of the account that stays"),
    "gone": A_("the address of the account that ended"),
    "change": A_("a sentence that says what was changed"),
}
_DAYS = {"ends": "2031-02-03", "card_until": "2031-04-05", "billed_at": "2031-06-07"}
"""Days that no default text mentions."""


@dataclass(frozen=True)
class Variant:
    """A form that a kind of email takes. `data` makes an email one of it; `own` are its variables
    besides those that all have."""

    key: str
    label: str
    own: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """What admins read."""
        kind = KINDS[self.kind]
        return f"{kind}: {self.label}" if self.label else kind

    @property
    def variables(self) -> dict[str, str]:
        """What each variable that the text may have stands for."""
        return {name: VARIABLES[name] for name in (*EVERYWHERE, *self.own)}


_ALL = (
    Variant("product_access.one", A_("one product"), ("products",)),
    Variant("product_access.several", A_("several products"), ("products",)),
    Variant("login_instructions", ""),
    Variant("sign_in", ""),
    Variant("recovery", ""),
    Variant("cancellation.scheduled", A_("access goes on until a day"), ("products", "ends")),
    Variant("cancellation.over", A_("access has ended"), ("products",), {"over": True}),
    Variant("payment_problem.subscription", A_("of a subscription"), ("products",)),
    Variant(
        "payment_problem.order",
        A_("of an order"),
        ("products",),
        {"source": str(GrantSource.ORDER)},
    ),
    Variant("payment_reminder.failed", A_("a payment failed"), ("products",)),
    Variant("payment_reminder.expiring", A_("the card expires"), ("products", "until", "billed")),
    Variant("win_back", "", ("products", "code")),
    Variant("second_subscription.both", A_("both go on"), ("products",)),
    Variant("second_subscription.ends", A_("the earlier one ends"), ("products", "ends")),
    Variant("abandoned_checkout.open", A_("without an end"), ("products",)),
    Variant("abandoned_checkout.until", A_("the link has an end"), ("products", "ends")),
    Variant("email_change", ""),
    Variant("email_changed", ""),
    Variant("claim", ""),
    Variant("factor_changed.changed", "", ("change",)),
    Variant("factor_changed.refused", A_("wrong codes"), ("change",), {"change": "codes_refused"}),
    Variant("merge_request.goes", A_("the reader's ends"), ("account",), {"goes": True}),
    Variant("merge_request.stays", A_("the reader's stays"), ("account",)),
    Variant("users_merged", "", ("kept", "gone")),
    Variant("paid_address", "", ("products", "account")),
    Variant("paid_elsewhere", "", ("products", "address")),
)
VARIANTS = {variant.key: variant for variant in _ALL}
"""What only the team gets isn't among them."""


def variant_of(mail: OutMail) -> str:
    """The key of the variant that an email is; it may be one whose text can't be replaced."""
    data = mail.data
    match mail.kind:
        case "product_access":
            form = "several" if len(mail.products) > 1 else "one"
        case "cancellation":
            form = "scheduled" if data.get("ends") and not data.get("over") else "over"
        case "payment_problem":
            form = "order" if data.get("source") == GrantSource.ORDER else "subscription"
        case "payment_reminder":
            form = "expiring" if data.get("card_until") and data.get("billed_at") else "failed"
        case "second_subscription":
            form = "ends" if data.get("ends") else "both"
        case "abandoned_checkout":
            form = "until" if data.get("ends") else "open"
        case "factor_changed":
            form = "refused" if data.get("change") == "codes_refused" else "changed"
        case "merge_request":
            form = "goes" if data.get("goes") else "stays"
        case _:
            return mail.kind
    return f"{mail.kind}.{form}"


def reworded(said: Letter, text: MailText, mail: OutMail, site: SiteSettings) -> Letter:
    """The email in the team's words. Button, link and small print stay: they say what is so."""
    facts = facts_of(mail, site)
    return replace(
        said,
        subject=filled(text.subject, facts),
        paragraphs=[filled(part, facts) for part in paragraphs(text.body)],
    )


def paragraphs(body: str) -> list[str]:
    """The paragraphs of a body, which blank lines separate."""
    parts = re.split(r"\n[ \t]*\n", body.replace("\r\n", "\n"))
    return [part.strip() for part in parts if part.strip()]


def default_text(variant: Variant, language: Language) -> MailText:
    """Our own text with its variables in braces, as what to start from."""
    site = SiteSettings(name="{site}")
    mail = example(variant, product="{products}", email="{email}")
    braced = {name: f"{{{name}}}" for name in ("code", "account", "address", "kept", "gone")}
    with languages.using(language):
        mail = replace(mail, data=mail.data | {n: v for n, v in braced.items() if n in mail.data})
        said = letter(mail, site)
        facts = facts_of(mail, site)
        spoken = {facts[name]: f"{{{name}}}" for name in ("ends", "until", "billed", "change")}
    spoken.pop("", None)
    texts = [said.subject, "\n\n".join(said.paragraphs)]
    for value, variable in spoken.items():
        texts = [text.replace(value, variable) for text in texts]
    return MailText(*texts)


def example(variant: Variant, *, product: str, email: str) -> OutMail:
    """An email of this variant to somebody, about a product with this name."""
    now = datetime.now(UTC)
    data: dict[str, Any] = {
        "change": "app_added",
        "code": "BACK-20",
        "account": "other@example.com",
        "address": "paid@example.com",
        "kept": "kept@example.com",
        "gone": "gone@example.com",
    } | dict(variant.data)
    days = {"ends": "ends", "until": "card_until", "billed": "billed_at"}
    data |= {days[name]: _DAYS[days[name]] for name in variant.own if name in days}
    return OutMail(
        id=0,
        key=f"example:{variant.key}",
        kind=variant.kind,
        user_id=None,
        email=email,
        name=None,
        role="member",
        language=None,
        link_epoch=0,
        product_id=None,
        product_name=product,
        products=[{"name": product, "slug": "example", "status": "live"}],
        data=data,
        state="queued",
        pace="now",
        attempts=0,
        error=None,
        due_at=now,
        issue=0,
        issued_at=now,
        created_at=now,
        sent_at=None,
    )
