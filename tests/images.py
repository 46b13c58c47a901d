"""Pictures for tests."""

import io
from typing import Any

from PIL import Image


def picture(
    form: str = "PNG",
    *,
    size: tuple[int, int] = (40, 30),
    mode: str = "RGB",
    colour: Any = 0,
    **options: Any,
) -> bytes:
    """A picture of one colour in a file of this format."""
    made = io.BytesIO()
    Image.new(mode, size, colour).save(made, form, **options)
    return made.getvalue()


def opened(body: bytes) -> Any:
    """A picture as Pillow reads it."""
    return Image.open(io.BytesIO(body))
