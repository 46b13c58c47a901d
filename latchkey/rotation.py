"""Rotating LATCHKEY_SECRET: seals again, under the current one, what an earlier one sealed."""

import contextlib
from dataclasses import dataclass

from latchkey.rules.vocabulary import AuditAction
from latchkey.store import audit_draft
from latchkey.store.pool import Connection, create_pool
from latchkey.store.sealed import SEALED_COLUMNS, SealedColumn, SealedText, replace, sealed_texts
from latchkey.vault import Purpose, Vault, VaultError


@dataclass(frozen=True)
class Rotated:
    """What became of one column: how many of its texts were sealed again, and how many none of the
    secrets opens."""

    column: SealedColumn
    renewed: int
    unreadable: int


async def rotate(
    database_url: str, secrets: tuple[str, ...], *, dry_run: bool = False
) -> list[Rotated]:
    """Seal everything under the first of `secrets`, each column in a transaction of its own.

    Rotating is idempotent. Processes go on working meanwhile, as long as all of them have the same
    list of secrets. What none of the secrets opens stays as it is.
    """
    vault = Vault(secrets)
    pool = await create_pool(database_url, max_size=1)
    try:
        draft = audit_draft.of_command("latchkey rotate", AuditAction.SECRETS_ROTATED)
        with contextlib.nullcontext() if dry_run else audit_draft.recording(draft):
            async with pool.acquire() as connection:
                return [
                    await _column(connection, column, vault, dry_run=dry_run)
                    for column in SEALED_COLUMNS
                ]
    finally:
        await pool.close()


async def _column(
    connection: Connection, column: SealedColumn, vault: Vault, *, dry_run: bool
) -> Rotated:
    renewed = unreadable = 0
    purpose = Purpose(column.purpose)
    async with connection.transaction():
        for text in await sealed_texts(connection, column):
            if vault.is_current(text.sealed):
                continue
            try:
                opened = vault.open(text.sealed, purpose)
            except VaultError:
                unreadable += 1
                continue
            renewed += 1
            if not dry_run:
                again = SealedText(text.key, vault.seal(opened, purpose))
                await replace(connection, column, again)
    return Rotated(column, renewed, unreadable)
