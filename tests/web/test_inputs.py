"""The addresses that forms and the API accept."""

import pytest
from pydantic import ValidationError

from web.inputs import ProductChanges


@pytest.mark.parametrize(
    "address",
    ["https://a.example", "https://a.example/b?c=d", "http://localhost:8000/x", "http://[::1]/"],
)
def test_secure_addresses_and_those_of_this_machine_are_accepted(address: str) -> None:
    assert ProductChanges.model_validate({"image_url": address}).image_url == address


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example/",
        "http://localhost.a.example/",
        "http://localhost@a.example/",
        "https://",
        "https:///path",
        "https://[::1/",
        "ftp://a.example/",
        "javascript:alert(1)",
        "\x01https://a.example/",
    ],
)
def test_all_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValidationError, match=r"must start with https://|must be a web address"):
        ProductChanges.model_validate({"image_url": address})
