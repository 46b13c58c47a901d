"""What Latchkey logs as JSON, for tests that read it."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog

from latchkey.logging import configure_logging
from tests.harness import Json


@contextlib.contextmanager
def logging_restored() -> Iterator[None]:
    """Leave the logging of the other tests as it was."""
    before, root, hook = structlog.get_config(), logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        structlog.configure(**before)
        root.handlers[:], root.level, sys.excepthook = handlers, level, hook


@contextlib.contextmanager
def json_log() -> Iterator[io.StringIO]:
    """All lines of this process, as a program without a terminal writes them."""
    written = io.StringIO()
    with logging_restored(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATCHKEY_LOG_FORMAT", "json")
        configure_logging()
        structlog.configure(
            logger_factory=structlog.PrintLoggerFactory(written), cache_logger_on_first_use=False
        )
        [handler] = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
        yield written


def lines_of(written: io.StringIO) -> list[Json]:
    """The lines, oldest first. Each is JSON."""
    return [orjson.loads(line) for line in written.getvalue().splitlines()]
