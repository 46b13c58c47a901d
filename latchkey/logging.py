"""Logging for all processes: readable lines on a terminal, JSON elsewhere."""

import logging
import os
import re
import sys
from types import TracebackType

import structlog

from latchkey.error_reports import reported
from latchkey.redaction import redacted

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging() -> None:
    """Set up structlog and the standard library's loggers for this process, warnings and uncaught
    errors included.

    `LATCHKEY_LOG_FORMAT` (console or json) overrides the format. Each line has the fields that are
    bound to the current task: ids of the request, events, object, workflow and run.
    """
    wanted = os.environ.get("LATCHKEY_LOG_FORMAT")
    console = wanted == "console" or (wanted is None and sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        reported,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    last = [renderer, _redacted, *([_harmless] if console else [])]
    structlog.configure(
        processors=[*shared, *([] if console else [structlog.processors.format_exc_info]), *last],
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if console else [structlog.processors.format_exc_info]),
                *last,
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger("process").critical("ended by an error", exc_info=(kind, error, trace))


def _redacted(_: object, __: str, line: object) -> str:
    return redacted(str(line))


def _harmless(_: object, __: str, line: object) -> str:
    """A line that nothing in it can turn into another: control characters, which could drive the
    terminal, are escaped, and further lines are indented. JSON escapes both by itself."""
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(line))
    return text.replace("\n", "\n    ")
