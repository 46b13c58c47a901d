"""The look of emails: one list of styles, written inline for mail clients, or as a style sheet for
the preview, whose page doesn't allow inline styles."""

import base64
import hashlib
from dataclasses import dataclass

from latchkey.languages import A_


@dataclass(frozen=True)
class Font:
    """What admins choose from, and the fonts of the reader's system that it stands for."""

    label: str
    stack: str


FONTS = {
    "system": Font(
        A_("The system's own"),
        "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif",
    ),
    "humanist": Font(
        A_("Humanist"),
        "Seravek,'Gill Sans Nova',Ubuntu,Calibri,'DejaVu Sans',source-sans-pro,sans-serif",
    ),
    "geometric": Font(
        A_("Geometric"), "Avenir,Montserrat,Corbel,'URW Gothic',source-sans-pro,sans-serif"
    ),
    "serif": Font(A_("Serif"), "Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,serif"),
    "old-style": Font(
        A_("Old style"), "'Iowan Old Style','Palatino Linotype','URW Palladio L',P052,serif"
    ),
    "slab": Font(
        A_("Slab serif"),
        "Rockwell,'Rockwell Nova','Roboto Slab','DejaVu Serif','Sitka Small',serif",
    ),
}
"""Fonts that readers have already: nothing is loaded, from here or from elsewhere."""

_STYLES = {
    "page": "margin:0;padding:0;background:#f4f5f8;color:#1a1f36;font-family:{font}",
    "frame": "max-width:560px;margin:0 auto;padding:24px 16px",
    "head": "margin:0 0 16px;{head}",
    "logo": "display:block;max-height:48px;max-width:200px;border:0",
    "name": "font-size:15px;font-weight:700;margin:0;color:{title}",
    "sheet": "background:#ffffff;border-radius:12px;padding:28px;border-top:4px solid {colour}",
    "title": "font-size:21px;line-height:1.3;margin:0 0 16px;overflow-wrap:anywhere",
    "text": "font-size:15px;line-height:1.55;margin:0 0 14px;overflow-wrap:anywhere",
    "button": "display:inline-block;background:{colour};color:{ink};padding:12px 22px;"
    "border-radius:8px;text-decoration:none;font-weight:600;font-size:15px",
    "act": "margin:22px 0",
    "small": "color:#545b6e;font-size:13px;line-height:1.5;margin:0 0 8px;overflow-wrap:anywhere",
    "foot": "padding:16px 12px 0;text-align:center",
    "link": "color:#545b6e",
}


class Look:
    """How each part of an email looks in the site's colours (`#rrggbb`; `bar` behind the name or
    logo, if the site has one) and font."""

    def __init__(
        self, colour: str, *, inline: bool, bar: str | None = None, font: str = "system"
    ) -> None:
        values = {
            "{colour}": colour,
            "{ink}": _ink_on(colour),
            "{font}": FONTS.get(font, FONTS["system"]).stack,
            "{head}": f"background:{bar};border-radius:12px;padding:12px 16px" if bar else "",
            "{title}": _ink_on(bar) if bar else "#545b6e",
        }
        self._values = dict(_STYLES)
        for place, value in values.items():
            self._values = {
                name: style.replace(place, value) for name, style in self._values.items()
            }
        self._inline = inline

    def part(self, name: str) -> str:
        """The HTML attribute that styles a part."""
        return f'style="{self._values[name]}"' if self._inline else f'class="{name}"'

    @property
    def sheet(self) -> str:
        """The style sheet; empty if the styles are inline."""
        if self._inline:
            return ""
        return "".join(f".{name}{{{style}}}" for name, style in self._values.items())

    @property
    def sheet_hash(self) -> str:
        """The style sheet's hash for a content security policy."""
        digest = hashlib.sha256(self.sheet.encode()).digest()
        return f"sha256-{base64.b64encode(digest).decode()}"


def _ink_on(colour: str) -> str:
    """Black or white, whichever is more readable on the colour (WCAG's relative luminance)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 else "#000000"
