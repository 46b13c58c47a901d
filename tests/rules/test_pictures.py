"""The addresses of uploaded pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.pictures import absolute, named, of_address, relative, sources

DIGEST = "5f" * 32
LARGE, SMALL = f"/pictures/{DIGEST}-1280.webp", f"/pictures/{DIGEST}-200.webp"


def test_a_photo_offers_its_sizes() -> None:
    widths = [part.split()[1] for part in sources(LARGE).split(", ")]
    assert widths == ["1280w", "640w", "320w"]
    assert sources(SMALL) == f"{SMALL} 200w"
    assert sources("https://elsewhere.example/a.webp") == sources("") == ""


@pytest.mark.parametrize(
    "name",
    [
        f"{DIGEST}-640.svg",
        f"{DIGEST}-0640.webp",
        f"{DIGEST}-64000.webp",
        f"{DIGEST}.webp",
        f"../{DIGEST}-640.webp",
        f"{DIGEST.upper()}-640.webp",
        f"{DIGEST}-640.webp\n",
        f"{DIGEST}-٦٤.webp",
    ],
)
def test_other_names_name_nothing(name: str) -> None:
    assert named(name) is None
    assert of_address(f"/pictures/{name}") is None


@given(st.text(), st.sampled_from(["https://a.example", "http://127.0.0.1:8000"]))
def test_only_our_own_addresses_lose_the_origin(text: str, origin: str) -> None:
    assert relative(text, public_url=origin) == text
    assert absolute(text, public_url=origin) == text
    full = absolute(LARGE, public_url=origin)
    assert full == origin + LARGE
    assert relative(full, public_url=origin) == LARGE
    assert relative(full, public_url="https://other.example") == full
