"""CSV for spreadsheets, safe against formula injection."""

import csv
import io


def cells(values: object) -> str:
    """One line of CSV; a cell that a spreadsheet would run as a formula is marked as text."""
    assert isinstance(values, list | tuple), "the cells of one line"
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(value) for value in values])
    return out.getvalue()


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
