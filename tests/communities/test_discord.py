"""Which roles a bot can give, by Discord's rules of the order of roles."""

from typing import Any

import pytest

from latchkey.discord import ADMINISTRATOR, MANAGE_ROLES, offers_among
from tests.communities.server import GUILD, role


def problems(*roles: Any, held: str) -> dict[str, str | None]:
    found = offers_among([role(GUILD, "@everyone", 0), *roles], guild=GUILD, held=[held])
    return {offer.name: offer.problem for offer in found}


def test_roles_below_the_bots_own_can_be_given() -> None:
    found = problems(
        role("1", "Low", 1),
        role("2", "Bot", 2, permissions=MANAGE_ROLES),
        role("3", "High", 3),
        role("4", "App", 1, managed=True),
        held="2",
    )
    assert list(found) == ["High", "Bot", "Low", "App"], "highest first, the older one of two"
    assert found["Low"] is None
    assert "above the bot's own role" in str(found["High"])
    assert "that role" in str(found["Bot"])
    assert "belongs to an app" in str(found["App"])


def test_of_two_roles_in_one_position_the_older_is_higher() -> None:
    bot = role("20", "Bot", 1, permissions=MANAGE_ROLES)
    found = problems(role("3", "Older", 1), bot, role("100", "Newer", 1), held="20")
    assert found["Newer"] is None
    assert found["Older"] is not None


@pytest.mark.parametrize(("permissions", "may"), [(0, False), (ADMINISTRATOR, True)])
def test_a_permission_is_needed(permissions: int, may: bool) -> None:
    bot = role("2", "Bot", 2, permissions=permissions)
    assert (problems(role("1", "Low", 1), bot, held="2")["Low"] is None) is may


def test_what_everybody_may_the_bot_may_too() -> None:
    everybody = role(GUILD, "@everyone", 0, permissions=MANAGE_ROLES)
    [low] = [
        offer
        for offer in offers_among(
            [everybody, role("1", "Low", 1), role("2", "Bot", 2)], guild=GUILD, held=["2"]
        )
        if offer.name == "Low"
    ]
    assert low.problem is None
