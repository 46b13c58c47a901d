"""Reports errors to Sentry, or to what takes its envelopes, if `SENTRY_DSN` is set.

Whatever is logged as an error is reported, with the ids that its line has. A report holds no
addresses, secrets, bodies or values of variables. Without the setting nothing of it is imported.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from latchkey.redaction import redacted
from latchkey.settings import SettingsError

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_ERRORS = frozenset({"error", "exception", "critical"})
_IDS = ("request_id", "object", "workflow", "run", "activity", "loop")
"""What reports can be searched by."""

_report: Callable[[dict[str, Any]], None] | None = None


def start(dsn: str | None, *, program: str, release: str) -> None:
    """Report this process's errors; without a DSN, do nothing. Raises `SettingsError`."""
    global _report
    if dsn is None:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration

    try:
        sentry_sdk.init(
            dsn,
            release=f"latchkey@{release}",
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=lambda *_: None)],
            max_request_body_size="never",
            include_local_variables=False,
            before_send=_redacted,
        )
    except ValueError as error:
        raise SettingsError(
            f"SENTRY_DSN: isn't a DSN such as https://key@host/7, which the settings of a project"
            f" in Sentry show ({error})"
        ) from None
    sentry_sdk.set_tag("program", program)
    _report = _sent


def stop() -> None:
    """Send what is left, and report no more."""
    global _report
    if _report is not None:
        import sentry_sdk

        sentry_sdk.flush()
        sentry_sdk.init(dsn=None, default_integrations=False, auto_enabling_integrations=False)
    _report = None


def reported(
    _: object, method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A processor of log lines: reports those of errors, and leaves all as they are."""
    if _report is not None and method in _ERRORS:
        _report(dict(line))
    return line


def _sent(line: dict[str, Any]) -> None:
    import sentry_sdk

    given = line.get("exc_info")
    error = given[1] if isinstance(given, tuple) else given
    if given is True:
        error = sys.exc_info()[1]
    with sentry_sdk.new_scope() as scope:
        for name in _IDS:
            if name in line:
                scope.set_tag(name, line[name])
        kept = {name: value for name, value in line.items() if not name.startswith("_")}
        scope.set_context("line", {k: v for k, v in kept.items() if k != "exc_info"})
        if isinstance(error, BaseException):
            sentry_sdk.capture_exception(error)
        else:
            sentry_sdk.capture_message(str(line.get("event")), level="error")


def _redacted(event: "Event", hint: "Hint") -> "Event":
    """The release, `latchkey@…`, looks like an address."""
    cleaned: Event = _clean(event)
    cleaned["release"] = event.get("release", "")
    return cleaned


def _clean(value: Any) -> Any:
    match value:
        case str():
            return redacted(value)
        case dict():
            return {key: _clean(part) for key, part in value.items()}
        case list() | tuple():
            return [_clean(part) for part in value]
    return value
