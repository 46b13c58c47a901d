"""Turns the site's colour into a style sheet that is readable in light and dark mode (WCAG
contrast)."""

DEFAULT = "#3d4ed8"
READABLE = 4.6
_LIGHT, _DARK = "#ffffff", "#161b23"
_STEP = 0.06


def style_sheet(colour: str) -> str:
    """The CSS variables for latchkey.css that are derived from a colour, given as `#rrggbb`."""
    light = _readable(colour, on=_mix(colour, _LIGHT, 0.9), towards="#000000")
    dark = _readable(colour, on=_mix(colour, _DARK, 0.8), towards="#ffffff")
    return (
        f":root{{--accent:{colour};--on-accent:{ink_on(colour)};--accent-ink:{light};"
        f"--accent-back:{_mix(colour, _LIGHT, 0.9)}}}"
        "@media(prefers-color-scheme:dark){"
        f":root{{--accent:{dark};--on-accent:{ink_on(dark)};--accent-ink:{dark};"
        f"--accent-back:{_mix(colour, _DARK, 0.8)}}}}}\n"
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
