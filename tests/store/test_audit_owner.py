"""The audit log under an owner of its own, as docs/security.md sets it up."""

import re
import secrets
from pathlib import Path

import asyncpg
import pytest

from latchkey.rules.vocabulary import AuditAction, AuditActor, AuditOutcome
from latchkey.store import audit
from latchkey.store.audit import Actor, AuditEntry, AuditFilter, AuditOrigin
from latchkey.store.pool import Pool, create_pool

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs" / "security.md"
OWNED = (
    "table audit_log",
    "function audit_forget(interval, integer)",
    "function audit_erase(bigint)",
)


async def test_latchkeys_role_adds_to_the_log_and_can_do_nothing_else(pool: Pool, dsn: str) -> None:
    role, owner = f"app_{secrets.token_hex(4)}", f"owner_{secrets.token_hex(4)}"
    await pool.execute(f"create role {role} login")
    await pool.execute(f"grant select on all tables in schema public to {role}")
    for thing in OWNED:
        await pool.execute(f"alter {thing} owner to {role}")
    found = re.search(r"```sql\n(create role audit_owner.*?)```", DOCS.read_text(), re.S)
    assert found
    await pool.execute(
        found[1].replace("audit_owner", owner).replace("to latchkey;", f"to {role};")
    )
    entry = AuditEntry(
        AuditAction.SIGNED_IN,
        AuditOutcome.DONE,
        Actor(AuditActor.USER, 7),
        AuditOrigin("192.0.2.1", "Browser"),
    )
    as_role = await create_pool(dsn.replace("//postgres@", f"//{role}@"))
    try:
        async with as_role.acquire() as connection:
            await audit.write(connection, [entry])
            for attempt in (
                "update audit_log set outcome = 'failed'",
                "delete from audit_log",
                "truncate audit_log",
                "alter table audit_log disable trigger all",
                "drop trigger audit_log_rows on audit_log",
                "set latchkey.audit_upkeep = 'on'; delete from audit_log",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(attempt)
            (line,) = await audit.listed(connection, AuditFilter())
            assert (line.ip, line.agent) == ("192.0.2.1", "Browser")
            await connection.execute("select audit_erase(7)")
            (line,) = await audit.listed(connection, AuditFilter())
            assert (line.ip, line.agent, line.actor_id) == (None, None, 7)
            assert await connection.fetchval("select audit_forget('30 days', 10)") == 0
    finally:
        await as_role.close()
