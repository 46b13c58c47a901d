"""Which language an email has."""

import pytest

from latchkey.store.feed import mails
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio


async def test_who_paid_for_somebody_else_is_written_to_in_their_own_language(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """
            insert into users (email, locale)
            values ('member@x.example', 'de'), ('payer@x.example', 'fr') returning id
            """
        )
        member, payer = rows[0]["id"], rows[1]["id"]
        paid_in: dict[str, str] = {"language": "es"}
        for kind, email, data in (
            ("paid_address", "PAYER@x.example", paid_in),
            ("paid_address", "stranger@x.example", {}),
            ("paid_address", "spaniard@x.example", paid_in),
            ("paid_elsewhere", None, paid_in),
            ("claim", "payer@x.example", {}),
        ):
            mail = Mail(f"{kind}:{email}", kind, user_id=member, to_email=email, data=data)
            await write_mails(connection, [mail])
        ids = await connection.fetch("select id from mails order by id")
        found = [await mails.find(connection, row["id"]) for row in ids]
        assert [mail and mail.language for mail in found] == ["fr", "de", "es", "de", "de"]
        await connection.execute("update users set locale = null where id = $1", payer)
        unknown = await mails.find(connection, ids[0]["id"])
        assert unknown is not None
        assert unknown.language == "es"
