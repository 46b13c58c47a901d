"""What the tests with other sites' software share: a browser, and a member who has something."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from latchkey import passwords
from tests.browser.conftest import browser, open_page, page
from tests.harness import Latchkey, free_port
from tests.integrations import install
from tests.web.pages import user

__all__ = ["browser", "open_page", "page"]

PASSWORD = "purple anvils sing"

collect_ignore = [
    *([] if install.apache() else ["test_apache.py"]),
    *([] if install.faketime() else ["test_clock_set_back.py"]),
    *([] if install.pgbouncer() else ["test_pgbouncer.py"]),
    *([] if install.from_npm("openid-client") else ["test_openid_client.py"]),
    *([] if install.proxies() else ["test_proxies.py"]),
    *([] if "caddy" in install.proxies() else ["test_caddyfile.py"]),
    *([] if install.NODE.is_dir() and install.examples() else ["test_examples.py"]),
    *([] if install.from_python("moto") else ["test_bucket.py"]),
    *([] if install.wordpress() else ["test_wordpress.py"]),
    *([] if install.sandbox_by_pipx() else ["test_sandbox_package.py"]),
]
"""`python -m tests.integrations.install` has said what can't be had."""


@dataclass(frozen=True)
class Member:
    """A member with access to the product `sailing…` until a time, and a password."""

    id: int
    email: str
    slug: str
    product: str
    until: datetime


@pytest.fixture
async def member(shared: Latchkey) -> Member:
    number = free_port()
    email, slug = f"ada-{number}@sites.example", f"sailing-{number}"
    made = await user(shared, email)
    hashed = await passwords.hash_password(PASSWORD)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", made, hashed)
    product = await shared.product("Sailing", slug=slug)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    body = {"email": email, "until": until.isoformat()}
    await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    return Member(made, email, slug, product, until)
