"""Reads one uploaded picture and writes it in the sizes that it is kept in: a program of its own.

Files from outside are the usual way into image libraries. So this runs as a process without
settings or secrets, with bounds on memory and time, and imports nothing of ours. The bytes come by
stdin; by stdout go a line of JSON and the files after one another, or a line with why it was
refused. What goes out was encoded here, pixel by pixel, so neither metadata nor anything else that
a file carries comes along.
"""

import contextlib
import io
import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
MOST_PIXELS, MOST_JPEG_PIXELS = 20_000_000, 50_000_000
"""Reading so many takes 350 MB at most. A JPEG can be decoded at a part of its size, so photos of
the largest common cameras are read, too."""

_MEMORY, _SECONDS = 1024 * 1024 * 1024, 30


class RefusedError(Exception):
    """The picture can't be kept: `unknown`, `large` or `broken`."""


def main() -> None:
    """Read stdin, write stdout. The only argument is `PictureSizes` as JSON."""
    _bound()
    try:
        files = read(sys.stdin.buffer.read(), json.loads(sys.argv[1]))
    except RefusedError as error:
        sys.stdout.buffer.write(json.dumps({"refused": str(error)}).encode() + b"\n")
        return
    listed = [[name, len(body)] for name, body in files.items()]
    sys.stdout.buffer.write(json.dumps({"files": listed}).encode() + b"\n")
    for body in files.values():
        sys.stdout.buffer.write(body)


def read(raw: bytes, sizes: dict[str, Any]) -> dict[str, bytes]:
    """The files to keep by name, such as `640.webp`, the largest first. Raises `RefusedError`."""
    largest = _decoded(raw, tuple(sizes["box"]))
    if sizes["square"]:
        largest = _squared(largest)
    narrower = [_narrowed(largest, width) for width in sizes["widths"] if width < largest.width]
    return {
        f"{image.width}.{format}": _encoded(image, format, lossless=sizes["lossless"])
        for format in sizes["formats"]
        for image in (largest, *narrower)
    }


def _bound() -> None:
    """Give up memory, time, and the right to write files, and be the first to go where memory runs
    out; not every system has each of them."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    bounds = {
        resource.RLIMIT_AS: _MEMORY,
        resource.RLIMIT_CPU: _SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for bound, value in bounds.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(bound, (value, value))


def _decoded(raw: bytes, box: tuple[int, int]) -> Any:
    """The first frame, upright, in sRGB, within the box."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_JPEG_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image: Any = Image.open(io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise RefusedError("unknown") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedError("large") from None
    except Exception:
        raise RefusedError("broken") from None
    most = MOST_JPEG_PIXELS if image.format == "JPEG" else MOST_PIXELS
    if image.width * image.height > most:
        raise RefusedError("large")
    try:
        longest = max(box)
        image.draft("RGB", (longest, longest))
        image.load()
        profile = image.info.get("icc_profile")
        image = _plain(_upright(image))
        image.thumbnail(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
        return _in_srgb(image, profile)
    except MemoryError:
        raise RefusedError("large") from None
    except Exception:
        raise RefusedError("broken") from None


def _upright(image: Any) -> Any:
    """The picture as the camera was held; as it is if its metadata can't be read."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _plain(image: Any) -> Any:
    """The picture in a mode that can be resized: L, RGB, RGBA or CMYK."""
    if image.mode.startswith(("I", "F")):
        image = image.point(lambda value: value / 256)
        return image.convert("L")
    if image.mode in ("L", "RGB", "RGBA", "CMYK") and "transparency" not in image.info:
        return image
    clear = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    return image.convert("RGBA" if clear else "RGB")


def _in_srgb(image: Any, profile: bytes | None) -> Any:
    """The colours that the profile means; where it can't be read, as if there were none."""
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    solid = image.convert("RGB") if alpha else image
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            solid = ImageCms.profileToProfile(
                solid, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
    solid = solid.convert("RGB")
    if alpha:
        solid.putalpha(alpha)
    return solid


def _narrowed(image: Any, width: int) -> Any:
    from PIL import Image

    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _squared(image: Any) -> Any:
    """The picture in the middle of a transparent square."""
    from PIL import Image

    side = max(image.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _encoded(image: Any, format: str, *, lossless: bool) -> bytes:
    """The pixels in a file with nothing else in it."""
    from PIL import Image

    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    made = io.BytesIO()
    if format == "png":
        bare.save(made, "PNG", optimize=True)
    else:
        bare.save(made, "WEBP", quality=82, method=4, lossless=lossless)
    return made.getvalue()


if __name__ == "__main__":
    main()
