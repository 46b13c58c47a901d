"""The text of each kind of mail, as plain text and HTML."""

import hashlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from latchkey import signin_links
from latchkey.store.mails import OutMail

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
)
_LONGEST_SUBJECT = 150


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str
    link: str


def render(mail: OutMail, *, public_url: str, secret: str) -> Rendered:
    """A mail's text. The same row always gives the same text, its sign-in link included."""
    token = signin_links.sign(
        mail.user_id, f"mail:{mail.id}", secret=secret, issued_at=mail.created_at.timestamp()
    )
    subject, paragraphs, action, path = _words(mail)
    link = f"{public_url}/login/{token}?next={path}"
    greeting = f"Hello {mail.name}," if mail.name else "Hello,"
    body = [greeting, *paragraphs]
    text = "\n\n".join([*body, f"{action}: {link}", "The link works once, for 48 hours."])
    html = _ENVIRONMENT.get_template("mail.html").render(
        subject=subject, paragraphs=body, link=link, action=action, site=public_url
    )
    return Rendered(subject, text + "\n", html, link)


def message(mail: OutMail, rendered: Rendered, *, sender: str, public_url: str) -> EmailMessage:
    """The mail as it goes out. Its Message-ID depends on its key alone, so that a second try is
    recognised as the same mail."""
    made = EmailMessage()
    name, address = parseaddr(sender)
    made["From"] = formataddr((name, address))
    made["To"] = formataddr((_line(mail.name or ""), mail.email))
    made["Subject"] = rendered.subject
    made["Date"] = format_datetime(mail.created_at)
    host = urlsplit(public_url).hostname or "localhost"
    made["Message-ID"] = f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}@{host}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(rendered.text)
    made.add_alternative(rendered.html, subtype="html")
    return made


def _words(mail: OutMail) -> tuple[str, list[str], str, str]:
    """Subject, paragraphs, the button's text, and where it leads."""
    product = _line(mail.product_name or "your product")
    match mail.kind:
        case "product_access":
            return (
                f"You have access to {product}",
                [
                    f"{product} is open for you.",
                    "The button below signs you in and takes you there.",
                ],
                f"Open {product}",
                f"/products/{mail.product_slug}" if mail.product_slug else "/library",
            )
        case "sign_in":
            return (
                "Your sign-in link",
                ["You, or somebody who knows your address, asked for a link to sign in."],
                "Sign in",
                "/library",
            )
    raise ValueError(f"there is no mail of kind {mail.kind}")


def _line(text: str) -> str:
    """A name as one line of bounded length: it goes into a header."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_SUBJECT else flat[: _LONGEST_SUBJECT - 1] + "…"
