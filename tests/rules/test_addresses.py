"""An address is one mailbox, however it is written."""

import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchkey import addresses
from latchkey.addresses import AddressError, email_key, mailbox
from tests.spellings import spelled

SAME = [
    ("anna@münchen.example", "anna@xn--mnchen-3ya.example"),
    ("anna@münchen.example", unicodedata.normalize("NFD", "Anna@MÜNCHEN.example")),
    ("zoë@club.example", unicodedata.normalize("NFD", "ZOË@club.example")),
    ("anna@club.example", "anna＠club．example"),
    ("anna@club.example", " Anna@Club.Example. "),
    ("anna@club.example", "anna@club。example"),
    ("straße@club.example", "STRASSE@club.example"),
    ("ολος@club.example", "ΟΛΟΣ@club.example"),
    ("иван@почта.example", "ИВАН@ПОЧТА.example"),
]

REFUSED = [
    "",
    "anna",
    "@club.example",
    "anna@",
    "anna@@club.example",
    "two@a.test,three@b.test",
    "group:a@x.test,b@y.test;@z",
    "x:;@z",
    "a@[x",
    "a@[127.0.0.1]",
    "Anna <anna@club.example>",
    '"anna"@club.example',
    "anna(home)@club.example",
    "anna club@club.example",
    "anna\u00a0club@club.example",
    "anna\0@club.example",
    "anna\r\nbcc:x@club.example",
    "anna\u202e@club.example",
    "anna\ud800@club.example",
    ".anna@club.example",
    "an..na@club.example",
    "anna@club..example",
    "anna@-club.example",
    "anna@club_house.example",
    "anna@xn--zzzzzzzz999999.example",
    "anna@club.example?x",
    f"{'a' * 65}@club.example",
    f"anna@{'a' * 64}.example",
    f"anna@{'a.' * 130}example",
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_mailbox_are_one(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)
    assert mailbox(one).ascii_domain == mailbox(other).ascii_domain


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        mailbox(text)


def test_different_mailboxes_stay_different() -> None:
    assert email_key("anna+club@x.example") != email_key("anna@x.example")
    assert email_key("zoe@x.example") != email_key("zoë@x.example")


def test_the_address_is_shown_in_its_own_script() -> None:
    assert mailbox("Anna@XN--MNCHEN-3YA.example").shown == "Anna@münchen.example"
    assert mailbox("Anna@münchen.example").ascii_domain == "xn--mnchen-3ya.example"


def test_a_blank_is_explained() -> None:
    with pytest.raises(AddressError, match="without blanks"):
        mailbox("anna club@x.example")


@given(st.text() | st.builds("{}@{}".format, st.text(), st.text()))
@example("ͅ@ß.example")
@example("@xn--.example")
def test_every_text_has_a_key_that_is_its_own_key(text: str) -> None:
    key = email_key(text)
    assert email_key(key) == key


LETTERS = (
    "abcxyzàéîõüñçøåæþðšłđğßабвгдежзийёїґαβγδεζηθσωάέաբգაბგאבגابتकखगกขค你好東京日本かなカナ한국"
)
LABELS = "abcxyzéüñçøабвгдαβγδ你好東京日本かな한국09"


@given(
    st.text(st.sampled_from(LETTERS + "09._+-'"), min_size=1, max_size=12),
    st.text(st.sampled_from(LABELS), min_size=1, max_size=8),
    st.integers(0, 2**32),
)
def test_an_address_is_one_mailbox_in_every_script(local: str, label: str, seed: int) -> None:
    email = f"{local}@{label}.example"
    try:
        box = mailbox(email)
    except AddressError:
        return
    chance = random.Random(seed)
    for _ in range(4):
        written = spelled(email, chance)
        assert email_key(written) == email_key(email) == email_key(mailbox(written).shown)
        assert mailbox(written).ascii_domain == box.ascii_domain


@given(st.builds("{}@{}".format, st.text(), st.sampled_from(["b.example", "münchen.example"])))
def test_an_address_keeps_its_key_in_every_form(text: str) -> None:
    try:
        box = mailbox(text)
    except AddressError:
        return
    assert mailbox(box.shown) == box
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert email_key(unicodedata.normalize(form, box.shown)) == email_key(text)


NEARLY_PLAIN = st.text(st.sampled_from("aZ09.-_+'!@n xXé\n\x00"), max_size=70)


@given(
    NEARLY_PLAIN
    | st.builds("{}@{}".format, NEARLY_PLAIN, st.sampled_from(["X.example", "a.-b", "c.", "d_e"]))
)
@example("anna@xn--mnchen-3ya.example")
@example("anna@XN--mnchen-3ya.example")
@example(f"{'a' * 64}@{'b' * 63}.example")
@example(f"{'a' * 65}@club.example")
@example(f"a@{'b' * 64}.example")
@example(f"a@{'b.' * 126}example")
def test_an_ordinary_address_is_read_as_any_other(text: str) -> None:
    quick = addresses._ordinary(text)
    key = email_key(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "_ordinary", lambda text: None)
        assert email_key(text) == key
        assert quick is None or mailbox(text) == quick


def test_most_addresses_are_ordinary() -> None:
    for text in ("anna@club.example", "Anna.O'Hara+2@Club-House.EXAMPLE", "a@b"):
        assert addresses._ordinary(text)
