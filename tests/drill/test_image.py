"""What `deploy/slim.sh` leaves for the image is small, says what the whole environment says in
every language, and runs every program."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from latchkey import languages
from latchkey.languages import LANGUAGES
from tests.collector import collecting
from tests.drill import slimmed
from tests.drill.programs import command, program, serves
from tests.drill.test_drill import Shop, as_paid, mail_server
from tests.harness import Json, Latchkey, Postgres, Stripe, free_port, prepare_latchkey
from tests.life.play import linked
from tests.life.test_mail import everything_sent
from tests.otlp import receiving_spans
from tests.web.pages import visit

pytestmark = pytest.mark.anyio

MOST = {"venv": 150, "python": 45}
"""Megabytes. docs/deploying.md says what they are."""

SAYINGS = Path(__file__).with_name("sayings.py")
LAST = datetime(2040, 2, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slimmed.made(tmp_path_factory.mktemp("image"))


def test_what_is_left_is_small(python: Path) -> None:
    folder = python.parents[2]
    found = {name: slimmed.megabytes(folder / name) for name in MOST}
    assert {name for name, size in found.items() if size > MOST[name]} == set(), found


async def sayings(python: str | Path, *receivers: str) -> Json:
    process = await asyncio.create_subprocess_exec(
        *(python, "-I", SAYINGS, *receivers),
        env={"PATH": os.environ["PATH"], "LATCHKEY_LOG_FORMAT": "json"},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    found: Json = json.loads(said.splitlines()[0])
    return found


async def test_it_says_the_same_as_the_whole_environment(python: Path) -> None:
    reported: list[str] = []
    with (
        receiving_spans() as spans,
        collecting(lambda path, body, encoding: reported.append(path)) as errors,
    ):
        receivers = (spans.url, errors.replace("http://", "http://key@") + "/7")
        whole = await sayings(sys.executable, *receivers)
        found = await sayings(python, *receivers)
    assert "Knots, Charts and Tides" in whole["en"]
    assert {key: found.get(key) for key in whole} == whole
    assert [span.name for span in spans.received] == ["said"] * 2
    assert reported == ["/api/7/envelope/"] * 2


async def test_every_program_runs(
    python: Path, postgres: Postgres, temporal_address: str, stripe: Stripe, tmp_path: Path
) -> None:
    """People buy and are told, and see in their language until when they have access."""
    run: dict[str, Any] = {"source": tmp_path, "python": python}
    async with (
        mail_server() as (inbox, smtp),
        prepare_latchkey(
            await postgres.create_empty(),
            temporal_address,
            stripe,
            LATCHKEY_PORT=free_port(),
            SMTP_URL=smtp,
        ) as site,
    ):
        assert "Applied" in await command(site.settings, "migrate", **run)
        async with (
            program("web", site.settings, site.namespace, **run),
            program("worker", site.settings, site.namespace, **run),
        ):
            await site.connected()
            await serves(site.url)
            product, _, price = await linked(site)
            shop = Shop(stripe, price)
            buyer = await shop.buy()
            await as_paid(site, product, shop)
            await everything_sent(site)
            assert [mail["To"] for mail in inbox.mails] == [buyer]
            await shown_in_each_language(site)
            assert "row" in await command(site.settings, "backup", str(tmp_path), **run)
            assert "sealed again" in await command(site.settings, "rotate", **run)
            assert "DATABASE_URL" in await command(site.settings, "doctor", "--offline", **run)


async def shown_in_each_language(site: Latchkey) -> None:
    """A member's library has the day on which access ends."""
    product = await site.product("Lasting")
    grant = {"email": "reads@image.example", "until": LAST.isoformat()}
    given = await site.call("POST", f"/products/{product}/grants", 201, json=grant)
    async with visit(site) as member:
        await member.sign_in_as(given["user_id"], "image")
        for language in LANGUAGES.values():
            headers = {"accept-language": language.code}
            page = await member.get("/library", headers=headers)
            assert f'lang="{language.code}"' in page.text
            with languages.using(language):
                assert languages.long_day(LAST) in page.text
