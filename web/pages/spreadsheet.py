"""Tables that spreadsheets read: CSV out, safe against formulas."""

import csv
import io


def cells(values: object) -> str:
    """One line of CSV; a cell that a spreadsheet would take for a formula is quoted as text."""
    assert isinstance(values, list | tuple), "one line's cells"
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(value) for value in values])
    return out.getvalue()


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
