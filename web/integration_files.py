"""The files of `integrations/`: configurations of web servers with a site's own values, and the
WordPress plugin as a zip."""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).parents[1] / "integrations"
PLUGIN = FOLDER / "wordpress/latchkey"
CONFIGURATIONS: Mapping[str, tuple[str, ...]] = {
    "nginx": ("course.conf",),
    "caddy": ("Caddyfile",),
    "traefik": ("course.yml",),
    "haproxy": ("haproxy.cfg", "latchkey.lua"),
}
LATCHKEY_AT = "127.0.0.1:8000"
SITE_AT = "127.0.0.1:3000"
"""Where the configurations have Latchkey and the protected site listen."""

_EPOCH_OF_ZIP = (2020, 1, 1, 0, 0, 0)
_LISTENER = re.compile(r"([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
_EXAMPLES = re.compile(
    r"https://course\.example\.com|course\.example\.com|members\.example\.com|\bsailing\b"
    rf"|{re.escape(LATCHKEY_AT)}|{re.escape(SITE_AT)}"
)


@dataclass(frozen=True)
class OwnValues:
    """What takes the place of the configurations' examples: the protected site's origin, Latchkey's
    host, the product's slug, and where both listen, each as host and port."""

    origin: str
    host: str
    product: str
    latchkey_at: str = LATCHKEY_AT
    site_at: str = SITE_AT


def is_listener(text: str) -> bool:
    """Whether a text is a host and a port."""
    return _LISTENER.fullmatch(text) is not None and int(text.rpartition(":")[2]) < 2**16


def configuration(server: str, values: OwnValues) -> dict[str, str]:
    """The configuration of a web server: the text of each file by its name."""
    own = {
        "https://course.example.com": values.origin,
        "course.example.com": urlsplit(values.origin).hostname or "",
        "members.example.com": values.host,
        "sailing": values.product,
        LATCHKEY_AT: values.latchkey_at,
        SITE_AT: values.site_at,
    }
    return {
        name: _EXAMPLES.sub(lambda found: own[found[0]], _shipped(f"{server}/{name}"))
        for name in CONFIGURATIONS[server]
    }


@cache
def _shipped(path: str) -> str:
    return (FOLDER / path).read_text()


@cache
def plugin() -> tuple[str, bytes]:
    """The name and the bytes of the WordPress plugin, as WordPress takes it under *Upload Plugin*.
    The same source gives the same bytes."""
    version = re.search(r"^Stable tag: (\S+)$", (PLUGIN / "readme.txt").read_text(), re.M)
    assert version, "readme.txt says the version"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in PLUGIN.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(
                f"latchkey/{path.relative_to(PLUGIN).as_posix()}", _EPOCH_OF_ZIP
            )
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return f"latchkey-for-wordpress-{version[1]}.zip", made.getvalue()
