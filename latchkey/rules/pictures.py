"""What uploaded pictures are for, the sizes that each is kept in, and what their addresses say."""

import re
from dataclasses import dataclass
from enum import StrEnum

FOLDER = "/pictures/"
_NAME = re.compile(r"(?P<digest>[0-9a-f]{64})-(?P<width>[1-9]\d{0,3})\.(?P<format>webp|png)")
IN_TEXT = re.escape(FOLDER) + r"([0-9a-f]{64})-[0-9]{1,4}\.(?:webp|png)"
"""A regular expression, for Postgres too, that finds the digests of pictures in a text."""


class PictureUse(StrEnum):
    """What a picture is uploaded for. It decides on the sizes, not on where it may be shown."""

    PHOTO = "photo"
    LOGO = "logo"
    ICON = "icon"


@dataclass(frozen=True)
class PictureSizes:
    """The sizes of a use, in pixels. The largest fits into the box, and isn't larger than what was
    uploaded; the narrower ones have the widths. A square one is padded with nothing."""

    box: tuple[int, int]
    formats: tuple[str, ...]
    widths: tuple[int, ...] = ()
    square: bool = False
    lossless: bool = True


SIZES = {
    PictureUse.PHOTO: PictureSizes((1280, 2560), ("webp",), widths=(640, 320), lossless=False),
    PictureUse.LOGO: PictureSizes((640, 192), ("webp", "png")),
    PictureUse.ICON: PictureSizes((192, 192), ("png",), square=True),
}
"""PNG is for mail programs and browser tabs, some of which don't know WebP."""


@dataclass(frozen=True)
class PictureName:
    """The name of one file of a picture. `width` is in pixels."""

    digest: str
    width: int
    format: str

    @property
    def file(self) -> str:
        """The file among those of its picture."""
        return f"{self.width}.{self.format}"

    @property
    def media_type(self) -> str:
        return f"image/{self.format}"


def address(digest: str, file: str) -> str:
    """The path of a picture's file, such as `/pictures/5f…-1280.webp`."""
    return f"{FOLDER}{digest}-{file}"


def named(name: str) -> PictureName | None:
    """The file with this name, the last part of its address."""
    found = _NAME.fullmatch(name)
    return PictureName(found["digest"], int(found["width"]), found["format"]) if found else None


def of_address(text: str | None) -> PictureName | None:
    """The file that a path names, if it is the path of an uploaded picture."""
    return named(text.removeprefix(FOLDER)) if text and text.startswith(FOLDER) else None


def sources(text: str) -> str:
    """The sizes of a photo for `srcset`, by the path of its largest; empty for other addresses."""
    largest = of_address(text)
    if largest is None or largest.format != "webp":
        return ""
    narrower = [width for width in SIZES[PictureUse.PHOTO].widths if width < largest.width]
    return ", ".join(
        f"{address(largest.digest, f'{width}.webp')} {width}w"
        for width in (largest.width, *narrower)
    )


def absolute(text: str | None, *, public_url: str) -> str | None:
    """The address for use outside the site: an uploaded picture's path gets the site's origin."""
    return f"{public_url}{text}" if of_address(text) else text


def relative(text: str | None, *, public_url: str) -> str | None:
    """The address as it is stored: an uploaded picture's loses the site's origin, so that it
    outlives a change of the domain."""
    path = text.removeprefix(public_url) if text else text
    return path if of_address(path) else text
