"""Every form of every page: refused without its token, unharmed by hostile text, sent twice."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from latchkey.mail.variants import VARIANTS
from tests.browser.world import ARABIC, HOSTILE, LONG, World, furnish
from tests.harness import Json, Latchkey
from tests.web.pages import Visitor, visit
from tests.web.test_admin_users import places
from web import pages
from web.api.registry import ENDPOINTS
from web.wording.page_texts import PLACES

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FUZZ = (
    HOSTILE,
    LONG * 200,
    ARABIC,
    "",
    "\x00\x07\ud7ff\uffff",
    "-1",
    "9" * 40,
    "%s'; drop table users; --",
    "../../etc/passwd",
    "2027-13-45T99:99",
)
LAST = ("delete", "erase", "disconnect", "/end", "remove", "revoke", "team")
"""What a form's address says that takes things away: those are tried after all others."""
TYPED = ("text", "email", "url", "password", "number", "date", "datetime-local", "color")
LEFT_OUT = ("/logout", "/login", "/acting", "/connectors/stripe/disconnect")


@dataclass
class Form:
    """A form on a page; `fields` are the values that a browser would send, `typed` the names of
    those that a person types."""

    page: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    typed: set[str] = field(default_factory=set)

    @property
    def kind(self) -> tuple[str, ...]:
        alike = re.sub(r"[a-z]+_[0-9a-f]{16}|\d+|(?<=/texts)/.+", "*", self.action)
        return alike, *sorted(self.fields)


class Forms(HTMLParser):
    """Collects the posting forms and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and values.get("href", "").startswith("/"):
            self.links.append(values["href"].partition("#")[0])
        if tag == "form":
            self._form = None
            if values.get("method") == "post":
                self._form = Form(self.page, values.get("action") or self.page.partition("?")[0])
                self.forms.append(self._form)
        if self._form is None or not values.get("name"):
            return
        boxes = values.get("type") in ("checkbox", "radio")
        written = tag == "textarea" or (tag == "input" and values.get("type", "text") in TYPED)
        if written and "readonly" not in values:
            self._form.typed.add(values["name"])
        if not boxes or "checked" in values or values["name"] not in self._form.fields:
            self._form.fields[values["name"]] = values.get("value", "")


async def forms_of(visitor: Visitor, *starts: str) -> list[Form]:
    """Forms of every kind that can be reached."""
    todo, seen, kinds = list(starts), set(), set()
    found: dict[tuple[str, ...], Form] = {}
    while todo:
        path = todo.pop(0)
        alike = re.sub(r"[a-z]+_[0-9A-Za-z]{14,}|\d+|=[^&]*|(?<=/texts)/.+", "*", path)
        if path in seen or alike in kinds or re.search(r"\.(csv|json)|/html$", path):
            continue
        seen.add(path)
        kinds.add(alike)
        answer = await visitor.client.get(path)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        parser = Forms(path)
        parser.feed(answer.text)
        todo += parser.links
        for form in parser.forms:
            if not form.action.startswith(LEFT_OUT):
                found.setdefault(form.kind, form)
    return sorted(found.values(), key=lambda form: any(word in form.action for word in LAST))


def encoded(fields: dict[str, str]) -> dict[str, Any]:
    """A form as browsers send it. httpx can't send half a character, and writes bytes as `b'…'`."""
    body = urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()})
    return {
        "content": body,
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    }


def wrong(answer: httpx.Response) -> str | None:
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"answers {answer.status_code}"
    html = "text/html" in answer.headers.get("content-type", "")
    if html and "<script>alert" in answer.text:
        return "shows HTML as HTML"
    return None


def filled(form: Form, value: str) -> Iterator[dict[str, str]]:
    """The form with one field after the other made hostile, then with all of them."""
    open_fields = [name for name in form.fields if name not in ("csrf_token", "do")]
    for name in open_fields:
        yield {**form.fields, name: value}
    if len(open_fields) > 1:
        yield {**form.fields, **dict.fromkeys(open_fields, value)}


@pytest.mark.longest
async def test_hostile_forms(site: Latchkey) -> None:
    world = await furnish(site)
    problems: list[str] = []
    async with visit(site) as owner, visit(site) as member:
        await owner.sign_in()
        await member.sign_in_as(world.member, "fuzz")
        for visitor in (member, owner):
            forms = await forms_of(visitor, "/account", "/account/settings", "/admin")
            assert len(forms) > (30 if visitor is owner else 3), [form.action for form in forms]
            for form in forms:
                problems += await fuzz(visitor, form)
        page = (await owner.get("/account/settings")).text
        token = re.search(r'name="csrf_token" value="(\w+)"', page)
        assert token
        names = names_of(forms)
        problems += await asyncio.to_thread(any_form, owner, token[1], world, names)
        problems += await asyncio.to_thread(any_call, site, world)
    assert problems == [], "\n".join(problems)
    assert await site.pool.fetchval("select count(*) from users where role = 'owner'") >= 1
    assert await places(site, "{{49}}") == []


TEXTS = st.text(max_size=30) | st.text(
    st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Co", "Mn", "Nd"]), max_size=12
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat()) | st.sampled_from(
    ["0270-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "10000-01-01"]
)
NUMBERS = st.integers() | st.floats() | st.decimals().map(str)
VALUES = TEXTS | MOMENTS | NUMBERS.map(str) | st.sampled_from([*FUZZ, "Infinity", "1e999999"])
LONGEST_IN_URL = 8_000
"""No client or server takes much more."""

SPARING = settings(
    max_examples=200,
    phases=[Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def names_of(forms: list[Form]) -> dict[str, list[str]]:
    """The fields of the forms, by the route that takes them."""
    routes = [route for route in pages.routes() if "POST" in (route.methods or set())]
    found: dict[str, list[str]] = {}
    for form in forms:
        for route in routes:
            if route.path_regex.fullmatch(form.action.partition("?")[0]):
                found.setdefault(route.path, []).extend(form.fields)
    return found


def at(path: str, world: World, value: str) -> str:
    """A route's path to something that exists, or with another value in place of its id."""
    known = str(world.member) if "users" in path else world.product
    return re.sub(r"{\w+(:\w+)?}", quote(value, safe="") or known, path)


def any_form(owner: Visitor, token: str, world: World, names: dict[str, list[str]]) -> list[str]:
    """Fill in the forms of the routes table with any text."""
    every = sorted({name for fields in names.values() for name in fields} - {"csrf_token"})
    paths = [
        route.path
        for route in pages.routes()
        if "POST" in (route.methods or set())
        and not any(word in route.path for word in (*LAST, *LEFT_OUT))
    ]
    assert len(paths) > 40
    problems: dict[str, None] = {}
    client = httpx.Client(
        base_url=owner.client.base_url,
        cookies=owner.client.cookies,
        headers={"Accept-Encoding": "identity"},
        timeout=300,
    )

    @SPARING
    @given(data=st.data())
    def play(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(paths))
        known = sorted({*names.get(path, every)} - {"csrf_token"}) or every
        fields = data.draw(st.dictionaries(st.sampled_from(known), VALUES, max_size=6))
        target = at(path, world, data.draw(st.just("") | st.text(max_size=3)))
        answer = client.post(target, **encoded({**fields, "csrf_token": token}))
        if problem := wrong(answer):
            problems[f"{target} {problem}: {fields!r:.300}"] = None

    with client:
        play()
    return list(problems)


def any_call(site: Latchkey, world: World) -> list[str]:
    """Call the API with any value in each of the fields that it declares."""
    problems: dict[str, None] = {}
    anything = VALUES | NUMBERS | st.none() | st.booleans() | st.lists(VALUES, max_size=2)
    client = httpx.Client(base_url=f"{site.url}/api/v1", headers=site.api.headers, timeout=300)

    def inputs(data: st.DataObject, model: type[BaseModel]) -> Json:
        schema = model.model_json_schema()
        fields = sorted(schema.get("properties", {}))
        given = data.draw(st.dictionaries(st.sampled_from(fields), anything)) if fields else {}
        usual = {"email": "any@fuzz.example", "name": "Any", "reason": "Any", "source": "x"}
        return {name: usual[name] for name in schema.get("required", ()) if name in usual} | given

    @SPARING
    @given(data=st.data())
    def play(data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(ENDPOINTS))
        target = at(one.path, world, data.draw(st.just("") | st.text(max_size=3)))
        query = {k: str(v)[:LONGEST_IN_URL] for k, v in inputs(data, one.query).items()}
        body = json.dumps(inputs(data, one.body)) if one.body else None
        try:
            answer = client.request(one.method, target, params=query, content=body)
        except httpx.InvalidURL:
            return  # longer than the client sends
        if problem := wrong(answer):
            problems[f"{one.method} {target} {problem}: {query} {body!r:.300}"] = None

    with client:
        play()
    return list(problems)


async def sent(visitor: Visitor, form: Form, fields: dict[str, str]) -> httpx.Response:
    """Post the form, with a new token if the session has changed: setting a password renews it."""
    answer = await visitor.client.post(form.action, **encoded(fields))
    if answer.status_code != 403:
        return answer
    page = (await visitor.client.get("/account/settings")).text
    token = re.search(r'name="csrf_token" value="(\w+)"', page)
    assert token
    form.fields["csrf_token"] = fields["csrf_token"] = token[1]
    return await visitor.client.post(form.action, **encoded(fields))


async def fuzz(visitor: Visitor, form: Form) -> list[str]:
    problems = []
    once = any(word in form.action for word in LAST)
    for value in FUZZ:
        variants = list(filled(form, value))
        for fields in variants[-1:] if len(value) > 1000 else variants:
            answer = await sent(visitor, form, fields)
            problem = wrong(answer)
            refused = [name for name in form.typed if "\x00" in fields[name]]
            if not all(f'id="{name}-error"' in answer.text for name in refused):
                problem = f"has no error beside {refused}"
            if problem:
                problems.append(f"{form.page}: {form.action} {problem}: {fields!r:.300}")
        if once:
            break
    return problems


async def test_forms_sent_twice(site: Latchkey) -> None:
    world = await furnish(site)
    async with visit(site) as owner:
        await owner.sign_in()
        new = {"name": "Made twice", "status": "live"}
        await twice(owner, "/admin/products/new", "/admin/products/new", new)
        person = f"/admin/users/{world.member}"
        await twice(owner, person, f"{person}/notes", {"text": "Noted twice"})
        gift = f"/admin/products/{world.product}/grants"
        await twice(owner, gift, gift, {"email": "twice@crawl.example"})
        team = "/admin/settings/team"
        await twice(owner, team, team, {"email": "team-twice@crawl.example", "role": "support"})
        for query in (
            "select count(*) from products where name = 'Made twice'",
            "select count(*) from user_notes where text = 'Noted twice'",
            """
            select count(*) from grants g join users u on u.id = g.user_id
             where u.email = 'twice@crawl.example'
            """,
            """
            select count(*) from activities a join users u on u.id = a.user_id
             where u.email = 'twice@crawl.example' and a.type = 'manual_grant'
            """,
            """
            select count(*) from mails m join users u on u.id = m.user_id
             where u.email = 'team-twice@crawl.example'
            """,
        ):
            assert await site.pool.fetchval(query) == 1, query
        for form in await forms_of(owner, "/admin"):
            first, second = await asyncio.gather(
                *(owner.client.post(form.action, data=form.fields) for _ in range(2))
            )
            for answer in (first, second):
                assert answer.status_code < 500, f"{form.action}: {answer.status_code}"


async def twice(visitor: Visitor, page: str, path: str, fields: dict[str, str]) -> None:
    """Submit a form twice at the same time."""
    parser = Forms(page)
    parser.feed((await visitor.get(page)).text)
    form = next(form for form in parser.forms if form.action == path)
    data = {**form.fields, **fields}
    answers = await asyncio.gather(*(visitor.client.post(path, data=data) for _ in range(2)))
    assert all(answer.status_code < 500 for answer in answers), answers


async def test_no_form_works_without_its_token(shared: Latchkey) -> None:
    """Of the routes, not of a list: a new form that forgets its token fails here."""
    product = await shared.product("Posted to")
    async with visit(shared) as owner, visit(shared) as stranger:
        await owner.sign_in()
        stolen = re.search(r'name="csrf_token" value="(\w+)"', (await stranger.get("/login")).text)
        assert stolen
        person = await shared.pool.fetchval("select min(id) from users")
        before = await shared.pool.fetch("select * from products order by id")
        posting = [route for route in pages.routes() if "POST" in (route.methods or set())]
        assert len(posting) > 40
        for route in posting:
            number = str(person) if "users" in route.path else product
            known = route.path.replace("{variant}/{language}", f"{min(VARIANTS)}/en")
            known = known.replace("{place}/{language}", f"{min(PLACES)}/en")
            path = re.sub(r"\{\w+\}", number, known)
            for data in ({}, {"csrf_token": "wrong"}, {"csrf_token": stolen[1]}):
                answer = await owner.client.post(path, data={"name": "ForgeryError", **data})
                assert answer.status_code in (400, 403, 404, 410), f"{route.path} {data}"
                assert answer.status_code != 404 or "{token}" in route.path, route.path
        assert await shared.pool.fetch("select * from products order by id") == before


async def test_every_page_has_its_security_headers(shared: Latchkey) -> None:
    product = await shared.product("Headed", slug="headed")
    async with visit(shared) as owner:
        await owner.sign_in()
        reading = [route for route in pages.routes() if "GET" in (route.methods or set())]
        for path in ["/nothing", *(route.path for route in reading)]:
            address = re.sub(r"\{slug\}", "headed", re.sub(r"\{id\}", product, path))
            address = re.sub(r"\{\w+\}", "1", address)
            answer = await owner.client.get(address)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe-inline" not in policy, path
            assert "unsafe-eval" not in policy, path
            assert "frame-ancestors" in policy, path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["referrer-policy"], path
