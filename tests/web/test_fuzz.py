"""The JSON API against its own description: any request gets one of the described answers, never a
server error."""

import asyncio
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import RejectedPositiveData

from tests.harness import TOKEN, Latchkey
from web.api import openapi

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EXAMPLES = int(os.environ.get("LATCHKEY_FUZZ_EXAMPLES", "6"))
"""How many valid and how many invalid requests of each call; tests/README.md has a longer run."""

TOO_LARGE = 413
"""A refusal that the checks don't count as one."""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


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
                if not (isinstance(failure, RejectedPositiveData) and documented(answer)):
                    wrong[f"{operation.label}: {failure}\n{case.as_curl_command()}"] = None

    play()
    return list(wrong)


def documented(answer: Any) -> bool:
    """Whether the description of the API gives the reason of a refusal that no schema expresses."""
    problem = answer.json()
    rules = any(rule in problem["detail"] for rule in openapi.RULES)
    return problem["code"] in openapi.CODES or (problem["code"] == "invalid" and rules)


async def test_every_call_answers_as_described(site: Latchkey) -> None:
    wrong = await asyncio.to_thread(_fuzz, site.url)
    assert wrong == [], "\n\n".join(wrong)
