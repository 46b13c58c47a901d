"""Logs: one line per event, whatever somebody puts into it."""

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from latchkey.logging import configure_logging

EVIL = "/p\x1b[2J\r\n12:00:00 [info     ] signed in\x9b31m\u2028"


@pytest.fixture
def restored() -> Iterator[None]:
    """Leave the logging of the other tests as it was."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


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
