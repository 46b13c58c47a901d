"""Logs: one line per event, whatever somebody puts into it."""

import logging
import subprocess
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from latchkey.logging import configure_logging
from latchkey.redaction import redacted
from tests.harness import PATIENCE
from tests.log_lines import json_log, lines_of, logging_restored

EVIL = "/p\x1b[2J\r\n12:00:00 [info     ] signed in\x9b31m\u2028"


@pytest.fixture
def restored() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.mark.parametrize("format_", ["console", "json"])
@pytest.mark.usefixtures("restored")
def test_nothing_in_a_line_looks_like_another(
    format_: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATCHKEY_LOG_FORMAT", format_)
    configure_logging()
    log = structlog.get_logger("test")
    log.warning("refused", path=EVIL)
    logging.getLogger("library").warning("refused %s", EVIL)
    try:
        raise ValueError(EVIL)
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().out
    assert not [c for c in written if c != "\n" and (c < " " or "\x7f" <= c <= "\x9f")]
    lines = written.split("\n")[:-1]
    if format_ == "json":
        assert [orjson.loads(line)["event"].split()[0] for line in lines] == [
            "refused",
            "refused",
            "failed",
        ]
    else:
        began = [line for line in lines if not line.startswith("    ")]
        assert len(began) == 3, written


def test_all_that_a_process_writes_is_json_with_the_ids_of_its_task() -> None:
    with json_log() as written:
        bind_contextvars(request_id="abc")
        structlog.get_logger("test").warning("ours")
        logging.getLogger("library").warning("theirs")
        sys.excepthook(ValueError, ValueError("the last words"), None)
        clear_contextvars()
    lines = lines_of(written)
    assert [line["event"].split()[0] for line in lines] == ["ours", "theirs", "ended"]
    assert {line["request_id"] for line in lines} == {"abc"}
    assert "the last words" in lines[-1]["exception"]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Key (email)=(ada@example.com) exists", "Key (email)=([address]) exists"),
        ('{"to": "jos\\u00e9@example.com"}', '{"to": "[address]"}'),
        ("at postgres://me:p%40ss@db:5432/latchkey", "at postgres://db:5432/latchkey"),
        ("Invalid API Key: sk_live_abc123DEF", "Invalid API Key: sk_live_…"),
        ("rk_test_1234 whsec_5678 lk_9abc lks_9abc", "rk_test_… whsec_… lk_… lks_…"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer …"),
        ("token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI1In0.c2ln", "token [token]"),
        ("/search?email=ada%40example.com&page=1", "/search?email=[address]&page=1"),
        (r"a key:\nsk_live_abc123\n and one", r"a key:\nsk_live_…\n and one"),
        (r"two lines:\nada@a.example\nbob@b.example", "two lines:[address][address]"),
        (r"\tBearer abcdefgh12345\neyJhbGciOiJ9.eyJzdWIi.c2ln", r"\tBearer …\n[token]"),
        ("@wraps(page) sub_1 evt_2 subscription/sub_1 100%40", None),
    ],
)
def test_addresses_and_secrets_are_taken_out(text: str, instead: str | None) -> None:
    assert redacted(text) == (text if instead is None else instead)


@pytest.mark.parametrize(
    "part", ["a", "é", "@", "a@", "%40", "eyJ-", "eyJabcdefgh.a", "://", "Bearer ", "lk_", r"\n"]
)
def test_a_long_line_is_cleaned_in_a_time_that_grows_with_its_length(part: str) -> None:
    """A search of the rest from each character on would take an hour of a megabyte."""
    code = f"from latchkey.redaction import redacted; redacted({part!r} * 1_000_000 + '@')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
