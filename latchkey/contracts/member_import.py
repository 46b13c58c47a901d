"""Inputs and results of `MemberImport`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class MemberImportState:
    """Which import a run works on. `run` is its number: each import is worked on several times, to
    be checked, to be done, to welcome people."""

    import_id: str
    run: int
    lines: int = 0


@dataclass(frozen=True)
class MemberImportBatchInput:
    """Work through the next lines, for what the import is at. The database keeps the place."""

    import_id: str
    run: int
    as_of: datetime


@dataclass(frozen=True)
class MemberImportBatchResult:
    """How many lines this run has gone through, and whether there are more."""

    lines: int
    more: bool
