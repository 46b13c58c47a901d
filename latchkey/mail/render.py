"""An email as it is sent: plain text, HTML and headers."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from latchkey import languages, signin_links
from latchkey.addresses import digest, mailbox
from latchkey.languages import Language, _
from latchkey.mail.letters import SHORT_LIVED, Letter, letter, line
from latchkey.mail.look import Look
from latchkey.mail.variants import reworded, variant_of
from latchkey.rules.pictures import of_address
from latchkey.store.feed.mails import REMINDER, WIN_BACK, OutMail
from latchkey.store.mail_texts import MailText, MailTexts
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users.account import OPTIONAL_MAILS

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Unfolded(UnstructuredHeader, BaseHeader):
    """A header on one line: if folded, a long URL would be encoded and no longer work."""

    max_count = 1

    def fold(self, *, policy: Any) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> "EmailPolicy[EmailMessage]":
    headers = HeaderRegistry()
    headers.map_to_type("list-unsubscribe", _Unfolded)
    return SMTP.clone(header_factory=headers)


_POLICY = _policy()


@dataclass(frozen=True)
class Rendered:
    """`link` is the URL of the button, a secret if it signs in. `html` has its styles inline,
    `preview` in a style sheet with the hash `preview_style`."""

    subject: str
    text: str
    html: str
    preview: str
    preview_style: str
    link: str | None
    unsubscribe: str | None


def render(
    mail: OutMail,
    *,
    public_url: str,
    secrets: tuple[str, ...],
    site: SiteSettings | None = None,
    texts: MailTexts | None = None,
) -> Rendered:
    """Render an email in its reader's language, in the team's words if `texts` has some. The same
    row and text always give the same email, including its sign-in link."""
    site = site or SiteSettings()
    theirs = languages.named(mail.language) or languages.named(site.language)
    with languages.using(theirs or languages.ENGLISH):
        said = _said(mail, site, texts or {})
        link = _link(mail, said, public_url=public_url, secrets=secrets)
        unsubscribe = None
        if mail.kind in OPTIONAL_MAILS:
            who = digest(mail.email) if mail.user_id is None else mail.user_id
            token = signin_links.sign_unsubscribe(who, mail.kind, secrets=secrets)
            unsubscribe = f"{public_url}/unsubscribe/{token}"
        return _render(mail, site, said, public_url=public_url, link=link, unsubscribe=unsubscribe)


def render_example(
    mail: OutMail, text: MailText, language: Language, *, public_url: str, site: SiteSettings
) -> Rendered:
    """An email in the team's words to look at: its button leads to the home page."""
    with languages.using(language):
        said = reworded(letter(mail, site), text, mail, site)
        link = public_url if said.action else None
        return _render(mail, site, said, public_url=public_url, link=link, unsubscribe=None)


def _said(mail: OutMail, site: SiteSettings, texts: MailTexts) -> Letter:
    said = letter(mail, site)
    text = texts.get((variant_of(mail), languages.current().code))
    return reworded(said, text, mail, site) if text else said


def _render(
    mail: OutMail,
    site: SiteSettings,
    said: Letter,
    *,
    public_url: str,
    link: str | None,
    unsubscribe: str | None,
) -> Rendered:
    hello = _("Hello %(name)s,", name=line(mail.name)) if mail.name else _("Hello,")
    body = [hello, *said.paragraphs]
    text = [*body, f"{said.action}: {link}"] if link else body
    text += [said.note] if said.note else []
    text += [f"-- \n{line(site.name)}, {public_url}"]
    text += [f"{line(each['name'])}: {each['url']}" for each in site.links]
    text += [f"{_('Unsubscribe from emails like this')}: {unsubscribe}"] if unsubscribe else []
    inline, sheet = (
        Look(site.colour, inline=inline, bar=site.bar_colour, font=site.font)
        for inline in (True, False)
    )
    values = {
        "said": said,
        "body": body,
        "link": link,
        "unsubscribe": unsubscribe,
        "site": site,
        "logo": _logo(site, public_url=public_url),
        "public_url": public_url,
        "language": languages.current(),
        "unsubscribe_label": _("Unsubscribe from emails like this"),
    }
    return Rendered(
        line(said.subject),
        "\n\n".join(text) + "\n",
        _html(inline, values),
        _html(sheet, values),
        sheet.sheet_hash,
        link,
        unsubscribe,
    )


def message(
    mail: OutMail,
    rendered: Rendered,
    *,
    sender: str,
    public_url: str,
    site: SiteSettings | None = None,
) -> EmailMessage:
    """The message to send. Its Message-ID depends only on its key and issue, so a second attempt is
    recognised as the same email. Raises `AddressError` for a recipient that isn't one mailbox."""
    site = site or SiteSettings()
    made = EmailMessage(_POLICY)
    made["From"] = sender_of(site, sender)
    if site.reply_to:
        made["Reply-To"] = _address(site.reply_to)
    made["To"] = _address(mail.email, line(mail.name or ""))
    made["Subject"] = rendered.subject
    made["Date"] = format_datetime(mail.issued_at)
    host = urlsplit(public_url).hostname or "localhost"
    named = mail.key if not mail.issue else f"{mail.key} {mail.issue}"
    made["Message-ID"] = f"<{hashlib.sha256(named.encode()).hexdigest()[:32]}@{host}>"
    made["Auto-Submitted"] = "auto-generated"
    if rendered.unsubscribe:
        made["List-Unsubscribe"] = f"<{rendered.unsubscribe}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(rendered.text)
    made.add_alternative(rendered.html, subtype="html")
    return made


def trial(to: str, *, sender: str, public_url: str, site: SiteSettings) -> EmailMessage:
    """An email that shows that the mail server works. Raises `AddressError`."""
    made = EmailMessage(_POLICY)
    made["From"] = sender_of(site, sender)
    made["To"] = _address(to)
    made["Subject"] = f"Test email from {line(site.name)}"
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = make_msgid(domain=urlsplit(public_url).hostname or "localhost")
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(
        f"The mail server works: {public_url} sent you this email through it.\n\n"
        "If it landed in your spam folder, have the domain of the sender set up SPF, DKIM and"
        " DMARC.\n"
    )
    return made


def sender_of(site: SiteSettings, default: str) -> Address:
    """Whom emails come from: what the email settings say, else `default`."""
    name, address = parseaddr(default)
    return _address(site.mail_from or address, line(site.sender_name or name))


def nonce(mail: OutMail) -> str:
    """The id by which an email's link is marked as used; sent again, it is another link."""
    return f"mail:{mail.id}" if not mail.issue else f"mail:{mail.id}:{mail.issue}"


def _address(text: str, name: str = "") -> Address:
    """One mailbox for a header, whatever is in the name; the domain goes out in punycode."""
    box = mailbox(text)
    return Address(name, box.local, box.ascii_domain)


def _link(mail: OutMail, said: Letter, *, public_url: str, secrets: tuple[str, ...]) -> str | None:
    if mail.kind == "email_change":
        token = signin_links.sign_change(int(mail.data["change"]), secrets=secrets)
        return f"{public_url}/account/email/{token}"
    if mail.kind in ("claim", "paid_address"):
        token = signin_links.sign_claim(int(mail.data["claim"]), secrets=secrets)
        return f"{public_url}/account/claims/{token}"
    if mail.kind == "abandoned_checkout":
        token = signin_links.sign_checkout(int(mail.data["abandoned"]), secrets=secrets)
        return f"{public_url}/checkout/again/{token}"
    if mail.user_id is None:
        return None
    if mail.kind == "merge_request":
        token = signin_links.sign_merge(int(mail.data["request"]), mail.user_id, secrets=secrets)
        return f"{public_url}/merge/{token}"
    if mail.kind == WIN_BACK:
        slug = mail.products[0]["slug"] if mail.products else ""
        query = {"promo": mail.data.get("code", ""), "utm_campaign": "win-back"}
        return f"{public_url}/buy/{slug}?{urlencode(query)}" if slug else None
    if mail.kind == REMINDER and said.path is None:
        card = signin_links.CardLink(
            mail.user_id, str(mail.data.get("source_id", "")), mail.link_epoch
        )
        token = signin_links.sign_card(card, secrets=secrets, issued_at=mail.issued_at.timestamp())
        return f"{public_url}/billing/card/{token}"
    if said.path is None:
        return None
    token = signin_links.sign(
        mail.user_id,
        nonce(mail),
        secrets=secrets,
        epoch=mail.link_epoch,
        kind="sign_in" if mail.kind in SHORT_LIVED else "access",
        issued_at=mail.issued_at.timestamp(),
    )
    return f"{public_url}/login/{token}?next={quote(said.path, safe='/')}"


def _logo(site: SiteSettings, *, public_url: str) -> str | None:
    """The logo's address. An uploaded one has an address at which there is always the present logo:
    an email is still read when the logo is another."""
    uploaded = of_address(site.logo_url)
    return f"{public_url}/logo.png?v={uploaded.digest[:12]}" if uploaded else site.logo_url


def _html(look: Look, values: dict[str, object]) -> str:
    return _ENVIRONMENT.get_template("mail.html").render(
        look=lambda name: Markup(look.part(name)), sheet=Markup(look.sheet), **values
    )
