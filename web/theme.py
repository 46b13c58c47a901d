"""Turns the site's colours and font into a style sheet that is readable in light and dark mode
(WCAG contrast)."""

from urllib.parse import urlencode

from latchkey.languages import _
from latchkey.mail.look import FONTS

DEFAULT = "#3d4ed8"
READABLE = 4.6
ENOUGH = 4.5
"""The contrast that WCAG asks for."""

_LIGHT, _DARK = "#ffffff", "#161b23"
_STEP = 0.06
_EDITION = "2"
"""Raise it when the same colours give another style sheet: browsers keep the one that they have."""

_SAMPLE = {
    "": "--ink:#1a1f36;--soft:#545b6e;--line:#e1e6ed;--edge:#7d8798;--card:#ffffff;--back:#f5f7fa",
    ".dark": "--ink:#e8ebf1;--soft:#a5aebd;--line:#2a313d;--edge:#78839a;--card:#161b23;"
    "--back:#0d1117",
}
"""The other colours of latchkey.css, for a sample in either mode whatever the reader's is."""


def address(colour: str, *, bar: str | None, font: str) -> str:
    """The style sheet's address, which says all that it depends on."""
    given = {"colour": colour[1:], "bar": (bar or "")[1:], "font": font, "v": _EDITION}
    return f"/theme.css?{urlencode({name: value for name, value in given.items() if value})}"


def style_sheet(colour: str, *, bar: str | None = None, font: str = "system") -> str:
    """The CSS that is derived from the colours, given as `#rrggbb`, and the font."""
    members = "body:not(.shell)"
    return (
        f":root{{{_accent(colour, dark=False)}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{_accent(colour, dark=True)}}}}}\n"
        f"{_bar(bar, f'{members}>header.bar', dark=False)}"
        f"@media(prefers-color-scheme:dark){{{_bar(bar, f'{members}>header.bar', dark=True)}}}\n"
        f"{members}{{font-family:{FONTS[font].stack}}}\n"
    )


def sample_sheet(colour: str, *, bar: str | None, font: str) -> str:
    """The CSS of the samples on the brand page, one in light and one in dark mode."""
    made = [f".brand-sample{{font-family:{FONTS[font].stack}}}"]
    for mode, base in _SAMPLE.items():
        dark = mode == ".dark"
        made.append(f".brand-sample{mode}{{{base};{_accent(colour, dark=dark)}}}")
        made.append(_bar(bar, f".brand-sample{mode} .bar", dark=dark))
    return "\n".join(made)


def advice(colour: str) -> list[str]:
    """What is done about a colour that is hard to read, in sentences."""
    light, dark = _shades(colour)
    said = []
    for shade, page, where in ((light, _LIGHT, _("on white")), (dark, _DARK, _("in dark mode"))):
        if shade != colour:
            said.append(
                f"Links in this colour would be hard to read {where}: the contrast is"
                f" {contrast(colour, page):.1f} : 1, and {ENOUGH} : 1 is needed. They are shown in"
                f" {shade}."
            )
    if ink_on(colour) != "#ffffff":
        said.append(
            "White text on it would be hard to read"
            f" ({contrast(colour, '#ffffff'):.1f} : 1), so buttons have dark text."
        )
    return said


def _accent(colour: str, *, dark: bool) -> str:
    light, bright = _shades(colour)
    if dark:
        return (
            f"--accent:{bright};--on-accent:{ink_on(bright)};--accent-ink:{bright};"
            f"--accent-back:{_mix(colour, _DARK, 0.8)}"
        )
    return (
        f"--accent:{colour};--on-accent:{ink_on(colour)};--accent-ink:{light};"
        f"--accent-back:{_mix(colour, _LIGHT, 0.9)}"
    )


def _shades(colour: str) -> tuple[str, str]:
    """The colour as text that is readable in light and in dark mode."""
    return (
        _readable(colour, on=_mix(colour, _LIGHT, 0.9), towards="#000000"),
        _readable(colour, on=_mix(colour, _DARK, 0.8), towards="#ffffff"),
    )


def _bar(colour: str | None, selector: str, *, dark: bool) -> str:
    """The bar at the top: everything in it takes its colours from the bar's."""
    if colour is None:
        return ""
    back = _mix(colour, _DARK, 0.5) if dark else colour
    ink = ink_on(back)
    away = "#000000" if ink == "#ffffff" else "#ffffff"
    back = _readable(back, on=ink, towards=away)
    pressed = _mix(back, away, 0.2)
    return (
        f"{selector}{{--card:{back};--ink:{ink};--soft:{ink};--accent-ink:{ink};--edge:{ink};"
        f"--line:{pressed};--hover:{pressed};--plain-back:{pressed}}}"
    )


def ink_on(colour: str) -> str:
    """White or nearly black, whichever contrasts better with the colour."""
    return max("#ffffff", "#0d1117", key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _readable(colour: str, *, on: str, towards: str) -> str:
    share = 0.0
    found = colour
    while contrast(found, on) < READABLE and share < 1:
        share += _STEP
        found = _mix(colour, towards, min(share, 1))
    return found


def _mix(colour: str, other: str, share: float) -> str:
    """Mix in a share (0 to 1) of the other colour."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
