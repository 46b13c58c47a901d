"""The JSON API against its own description: any request gets one of the described answers, never a
server error."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse

from tests.harness import TOKEN, Latchkey

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EXAMPLES = 6
TOO_LARGE = 413
"""A refusal that the checks don't count as one."""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BEYOND = (RejectedPositiveData, UnsupportedMethodResponse)
"""Not asked: rules that no schema tells, such as one of two parameters, may refuse valid data."""


def _fuzz(url: str) -> list[str]:
    """Try every described call; returns what went wrong."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 20, "the description lists the calls"
    return [
        told
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for told in _call(operation, mode)
    ]


def _call(operation: Any, mode: GenerationMode) -> list[str]:
    wrong: dict[str, None] = {}

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def play(case: Any) -> None:
        answer = case.call(headers=HEADERS)
        if answer.status_code == TOO_LARGE:
            return
        try:
            case.validate_response(answer)
        except FailureGroup as group:
            for failure in group.exceptions:
                if not isinstance(failure, BEYOND):
                    wrong[f"{operation.label}: {failure}\n{case.as_curl_command()}"] = None

    play()
    return list(wrong)


async def test_every_call_answers_as_described(site: Latchkey) -> None:
    wrong = await asyncio.to_thread(_fuzz, site.url)
    assert wrong == [], "\n\n".join(wrong)
