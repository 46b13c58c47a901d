"""A program that does what needs more than code: catalogs, locales, time zones, pictures, hashes,
templates. It prints what came of it as JSON, the same in every environment that lacks nothing.

Its arguments are the addresses to which spans and reports of errors go.
"""

import asyncio
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

import structlog
from PIL import Image

from latchkey import error_reports, languages, passkeys, passwords, picture_reader, totp, tracing
from latchkey.jose import generate
from latchkey.languages import LANGUAGES
from latchkey.logging import configure_logging
from latchkey.mail.letters import letter
from latchkey.mail.variants import VARIANTS, example
from latchkey.rules.pictures import SIZES
from latchkey.store.site_settings import SiteSettings
from web.markdown import rendered
from web.wording import amounts, figures, sizes, times

MOMENT = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC)
SITE = SiteSettings(name="Seaside School")
NAMES = ("Knots", "Charts", "Tides")
AMOUNTS = ((123_456, "eur"), (5_000, "jpy"), (-99, "usd"), (7_005, "kwd"))
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def emails() -> Iterator[tuple[str, str]]:
    """Each variant in each language, about several products where it names any."""
    for key, variant in VARIANTS.items():
        mail = example(variant, product=NAMES[0], email="ada@sea.example")
        named = [mail.products[0] | {"name": name} for name in NAMES]
        mail = replace(mail, products=named, due_at=MOMENT, issued_at=MOMENT, created_at=MOMENT)
        for language in LANGUAGES.values():
            with languages.using(language):
                yield f"{key} {language.code}", str(letter(mail, SITE))


def wordings() -> Iterator[tuple[str, str]]:
    """Days, amounts, sizes, lists and numbers in each language."""
    for language in LANGUAGES.values():
        with languages.using(language):
            said = [
                languages.long_day(MOMENT),
                languages.listed(NAMES),
                languages.written(1_234_567),
                times.when(MOMENT),
                times.month(MOMENT),
                times.lasting(100_000),
                *(amounts.money(*amount) for amount in AMOUNTS),
                *(sizes.file_size(size) for size in (12, 12_345, 12_345_678)),
            ]
        yield language.code, " | ".join(said)
    yield "zone", str(times.chosen("2027-06-30 12:00", "Europe/Istanbul"))
    yield "numbers", f"{figures.short(12_345)} {figures.rounded(15_065_700, 'eur')}"
    yield "month", figures.month_name(date(2026, 3, 1))


def pictures() -> Iterator[tuple[str, str]]:
    """A picture in each format that may be uploaded, in each format that is kept."""
    for form in FORMATS:
        raw = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").save(raw, form)
        for use, wanted in SIZES.items():
            files = picture_reader.read(raw.getvalue(), asdict(wanted))
            digests = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
            yield f"{form} {use}", json.dumps(digests)


async def others() -> dict[str, Any]:
    """A text of a lesson, and of what has chance in it whether it could be made."""
    hashed = await passwords.hash_password("correct horse")
    site = passkeys.relying_party("https://sea.example")
    assert site is not None
    return {
        "text": await rendered("**Knots** & <script>charts</script>, [tides](https://a.example)"),
        "password": await passwords.matches(hashed, "correct horse"),
        "passkey": bool(passkeys.ask_to_sign_in(site)),
        "key": bool(generate()),
    }


def reports(spans: str, errors: str) -> None:
    """One span, and one report of an error."""
    tracing.start(spans, share=1, program="sayings")
    with tracing.root("said"):
        pass
    tracing.stop()
    error_reports.start(errors, program="sayings", release="1")
    configure_logging()
    structlog.get_logger("sayings").error("said")
    error_reports.stop()


def main() -> None:
    said: dict[str, Any] = dict([*emails(), *wordings(), *pictures()])
    said["code"] = totp.qr_code("otpauth://totp/sea")
    said |= asyncio.run(others())
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    reports(*sys.argv[1:])


if __name__ == "__main__":
    main()
