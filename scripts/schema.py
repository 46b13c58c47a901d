"""Write `latchkey/store/schema.sql`: the database as all migrations leave it, to be read.

    python -m scripts.schema

`tests/store/test_schema.py` compares the file with a migrated database.
"""

import asyncio
import re
import subprocess
import tempfile
from pathlib import Path

from latchkey.embedded import postgres_binaries
from tests.harness import run_postgres

TARGET = Path(__file__).parents[1] / "latchkey" / "store" / "schema.sql"
HEADER = """\
-- The database as all migrations leave it. Written by `make schema`; don't edit it by hand.
-- Nothing runs this file: `latchkey migrate` applies `migrations/`. Everything is in `public`.
"""
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.M)


def dump(dsn: str) -> str:
    """The schema of the database at `dsn`, without what depends on the server's version or on
    who asks."""
    pg_dump = str(postgres_binaries() / "pg_dump")
    argv = [pg_dump, "--schema-only", "--no-owner", "--no-privileges", dsn]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    statements = _NOISE.sub("", done.stdout).replace("public.", "")
    return HEADER + "\n" + re.sub(r"\n{3,}", "\n\n", statements).strip() + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, run_postgres(Path(folder)) as server:
        TARGET.write_text(dump(asyncio.run(server.create())))


if __name__ == "__main__":
    main()
