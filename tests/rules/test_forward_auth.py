"""What a protected site's web server asks about, by its headers, and which origins are fit."""

import pytest

from latchkey.rules.forward_auth import (
    OriginalRequest,
    UnclearRequestError,
    origin_of,
    original_request,
    safe_target,
    unfit_origin,
)

CADDY = {
    "x-forwarded-proto": "https",
    "x-forwarded-host": "course.example",
    "x-forwarded-uri": "/week/1?a=b&c=d",
    "x-forwarded-method": "GET",
}
NGINX = {
    "x-original-url": "https://course.example/week/1?a=b&c=d",
    "x-original-method": "GET",
}


def test_both_kinds_of_headers_say_the_same() -> None:
    for headers, redirects in ((CADDY, True), (NGINX, False)):
        assert original_request(headers) == OriginalRequest(
            "https://course.example", "/week/1?a=b&c=d", page=True, redirects=redirects
        )


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"x-forwarded-host": "Course.EXAMPLE:443"}, "https://course.example"),
        ({"x-forwarded-host": "course.example:8443"}, "https://course.example:8443"),
        ({"x-forwarded-host": "course.example."}, "https://course.example."),
        ({"x-forwarded-proto": "wss"}, "https://course.example"),
        ({"x-forwarded-proto": "http"}, "http://course.example"),
        ({"x-forwarded-proto": "http", "x-forwarded-host": "[::1]:80"}, "http://[::1]"),
    ],
)
def test_the_origin_is_written_in_one_way(changes: dict[str, str], origin: str) -> None:
    assert original_request(CADDY | changes).origin == origin


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-host": "course.example"},
        CADDY | {"x-forwarded-host": "course.example, evil.example"},
        CADDY | {"x-forwarded-host": ""},
        CADDY | {"x-forwarded-host": "user@evil.example"},
        CADDY | {"x-forwarded-host": "course.example/.evil.example"},
        CADDY | {"x-forwarded-host": "course.example\\evil"},
        CADDY | {"x-forwarded-proto": "https, http"},
        CADDY | {"x-forwarded-host": "course.example, inner.example"},
        CADDY | {"x-forwarded-proto": "javascript"},
        NGINX | {"x-original-url": "course.example/"},
        NGINX | {"x-original-url": "/week/1"},
        NGINX | {"x-original-url": "https:///week"},
        NGINX | {"x-original-url": ""},
        NGINX | {"x-forwarded-proto": "https", "x-forwarded-host": "evil.example"},
        CADDY | {"x-original-url": "https://evil.example/"},
    ],
)
def test_an_unclear_address_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnclearRequestError):
        original_request(headers)


@pytest.mark.parametrize(
    ("changes", "page"),
    [
        ({}, True),
        ({"x-forwarded-method": "HEAD"}, True),
        ({"sec-fetch-mode": "navigate"}, True),
        ({"x-forwarded-method": "POST"}, False),
        ({"x-forwarded-method": "OPTIONS"}, False),
        ({"x-original-method": "DELETE"}, False),
        ({"sec-fetch-mode": "cors"}, False),
        ({"sec-fetch-mode": "no-cors"}, False),
        ({"sec-fetch-mode": "websocket"}, False),
        ({"upgrade": "WebSocket"}, False),
        ({"sec-websocket-key": "x"}, False),
    ],
)
def test_only_whoever_opens_a_page_is_led_elsewhere(changes: dict[str, str], page: bool) -> None:
    assert original_request(CADDY | changes).page is page


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/"),
        ("/week/1?a=%2F&b=https://x", "/week/1?a=%2F&b=https://x"),
        ("//evil.example", "//evil.example"),
        (None, "/"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("/a b", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/ä", "/"),
        ("/" + "x" * 3999, "/" + "x" * 3999),
        ("/" + "x" * 4000, "/"),
    ],
)
def test_people_are_led_back_to_a_path_of_the_site(path: str | None, target: str) -> None:
    """`//evil.example` is a path, since the site's origin always stands before it."""
    assert safe_target(path) == target


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://course.example", "https://course.example"),
        ("https://Course.Example/", "https://course.example"),
        ("https://course.example:443", "https://course.example"),
        ("https://course.example:8443", "https://course.example:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_an_origin_that_can_be_protected(address: str, origin: str) -> None:
    assert unfit_origin(address) is None
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "",
        "course.example",
        "http://course.example",
        "ftp://course.example",
        "https://",
        "https://course.example/path",
        "https://course.example/?a=b",
        "https://course.example?",
        "https://course.example/#a",
        "https://*.course.example",
        "https://user@course.example",
        "https://course.example:0",
        "https://course.example:",
        "https://course.example:99999",
        "https://course.example.",
        "https://cöurse.example",
        "https://course.example\\evil",
        "https://course.example;evil",
        'https://course.example"{',
        "https://" + "x" * 1000,
    ],
)
def test_an_origin_that_cannot_be_protected(address: str) -> None:
    assert unfit_origin(address) is not None
