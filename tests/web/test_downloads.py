"""The bytes that a request asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.downloads import ByteRange, UnsatisfiableError, asked_for

numbers = st.none() | st.integers(0, 40)


@given(numbers, numbers, st.integers(0, 30))
def test_a_range_names_the_bytes_that_slicing_gives(
    first: int | None, last: int | None, size: int
) -> None:
    body = bytes(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        expected = body if last is None else body[max(size - last, 0) :] if last else b""
    else:
        expected = body[first:] if last is None else body[first : last + 1]
        if last is not None and last < first:
            expected = body
    try:
        found = asked_for(header, size) or ByteRange(0, size - 1)
    except UnsatisfiableError:
        assert expected == b""
    else:
        assert body[found.first : found.last + 1] == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes=",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=٣-4",
        "bytes=-1-2",
        f"bytes={9**99}-",
    ],
    ids=str,
)
def test_what_isnt_understood_is_the_whole_file(header: str | None) -> None:
    assert asked_for(header, 10) is None
