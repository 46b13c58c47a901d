"""The site's team, and who on it lacks a second factor."""

from pydantic import Field

from latchkey.store import site_settings
from latchkey.store.users import factors
from web.api.cursors import sliced
from web.api.registry import Call, Output, Paging, endpoint


class TeamMember(Output):
    """An owner, an admin or support."""

    id: int
    email: str
    role: str
    authenticator_app: bool
    passkeys: int
    lacks_second_factor: bool = Field(description="has neither an authenticator app nor a passkey")


class Team(Output):
    data: list[TeamMember]
    next: str | None
    second_factor_required: bool


@endpoint("GET", "/team", query=Paging, answer=Team)
async def get_team(call: Call) -> Team:
    """List the owners, admins and support, and who has a second factor."""
    async with call.site.pool.acquire() as connection:
        people = await factors.of_staff(connection)
        site = await site_settings.read(connection)
    page, after = sliced(people, lambda person: person.id, call.query)
    return Team(
        data=[
            TeamMember(
                id=person.id,
                email=person.email,
                role=person.role,
                authenticator_app=person.factors.app,
                passkeys=person.factors.passkeys,
                lacks_second_factor=not person.factors.any,
            )
            for person in page
        ],
        next=after,
        second_factor_required=site.staff_second_factor,
    )
