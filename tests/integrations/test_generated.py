"""The generated parts of the client libraries are what the OpenAPI description gives."""

from scripts import clients


def test_generated_files_are_as_the_api_is() -> None:
    for path, text in clients.generated().items():
        assert path.read_text() == text, f"{path.name} is out of date: run `make clients`"
