"""What the lists of subscriptions, purchases and customers share: filters, pages by key, CSV."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_
from latchkey.rules.money import in_major_units
from latchkey.store.pool import Connection
from latchkey.store.products import listing as product_listing
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, ListOrder, Row
from web.pages.admin.chosen_rows import chosen, csv_file, emails_page
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, support_page
from web.pages.lists import Query
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.places import place_of, written
from web.site import Site, site_of
from web.wording.times import days_between

PAGE = 50
MODES = {"live": A_("Live"), "test": A_("Test")}


@dataclass(frozen=True)
class ListedState:
    """A choice of the filter by state: its words, and the states that it stands for."""

    text: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class SortChoice:
    """An order to choose: its words, and the list's order; None is the list's own."""

    text: str
    order: ListOrder | None = None


def by_moment(column: str) -> dict[str, SortChoice]:
    """The newest or the oldest first, by their values in the query string."""
    return {
        "": SortChoice(A_("Newest first")),
        "oldest": SortChoice(A_("Oldest first"), ListOrder(column, ascending=True)),
    }


def each_alone(labels: Mapping[str, str]) -> dict[str, ListedState]:
    """A choice for each of these states."""
    return {state: ListedState(text, (state,)) for state, text in labels.items()}


@dataclass(frozen=True)
class AdminList(Generic[Row]):
    """One list at `/admin/<name>`, and its CSV. `states` are the choices by their value in the
    query string, and `orders` those of the order; `cells` are a row's, for `columns`. `more_values`
    reads what else the page shows about the filtered list. With `address`, which is a row's, rows
    can be ticked."""

    name: str
    source: BillingList[Row]
    states: Mapping[str, ListedState]
    columns: tuple[str, ...]
    cells: Callable[[Row], list[object]]
    more_values: Callable[[Connection, BillingFilter], Awaitable[dict[str, Any]]] | None = None
    orders: Mapping[str, SortChoice] = field(default_factory=dict)
    address: Callable[[Row], str | None] | None = None

    def routes(self) -> list[Route]:
        csv = f"/admin/{self.name}.csv"
        always = [
            Route(f"/admin/{self.name}", admin_page(self.index)),
            Route(csv, admin_page(self.export)),
        ]
        if self.address is None:
            return always
        return [
            *always,
            Route(csv, support_page(self.export_chosen), methods=["POST"]),
            Route(f"/admin/{self.name}/emails", support_page(self.emails), methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        return await self._page(request)

    async def _page(self, request: Request, unchosen: str | None = None) -> Response:
        query, wanted, problem = self.wanted(request)
        order = self.order(query)
        of_amount = order is not None and order.column == "amount"
        after = place_of(request.query_params.get("after"), of_amount=of_amount)
        async with site_of(request).pool.acquire() as connection:
            rows = await self.source.page(
                connection, wanted, after=after, limit=PAGE + 1, order=order
            )
            most = self.source.counted_up_to(wanted)
            total = len(rows) if len(rows) <= PAGE else None
            if total is None and most is not None and after is None:
                total = await self.source.count(connection, wanted, most=most)
            products = await product_listing.names(connection)
            prices = await billing_lists.sold_prices(connection)
            values = await self.more_values(connection, wanted) if self.more_values else {}
        last = rows[PAGE - 1] if len(rows) > PAGE else None
        place = written(self.source.place_of(last, order)) if last else None
        return page(
            request,
            f"admin/{self.name.replace('-', '_')}.html",
            422 if problem or unchosen else 200,
            errors={"chosen": unchosen} if unchosen else {},
            rows=rows[:PAGE],
            total=total if after is None else None,
            beyond="+" if most is not None and total is not None and total >= most else "",
            more=query.address(after=place) if place else None,
            csv_address=query.address().replace(f"/{self.name}", f"/{self.name}.csv", 1),
            emails_address=query.address().replace(f"/{self.name}", f"/{self.name}/emails", 1),
            query=query,
            states=self.states,
            orders={value: choice.text for value, choice in self.orders.items()},
            modes=MODES,
            products=products,
            prices=prices,
            problem=problem,
            **values,
        )

    async def export(self, request: Request) -> Response:
        """The filtered list as CSV, of any length."""
        query, wanted, problem = self.wanted(request)
        if problem:
            raise NotFoundError(problem)
        return csv_file(self.csv(site_of(request), wanted, self.order(query)), self.name)

    async def export_chosen(self, request: Request) -> Response:
        """The rows that were ticked as CSV, or all that the filters find."""
        rows = await chosen(request)
        query, wanted, problem = self.wanted(request)
        if problem or rows.problem:
            return await self._page(request, rows.problem)
        wanted = wanted if rows.everybody else BillingFilter(ids=tuple(rows.ids))
        return csv_file(self.csv(site_of(request), wanted, self.order(query)), self.name, rows)

    async def emails(self, request: Request) -> Response:
        """The addresses of the rows that were ticked, or of all that the filters find."""
        rows = await chosen(request)
        query, wanted, problem = self.wanted(request)
        if problem or rows.problem:
            return await self._page(request, rows.problem)
        wanted = wanted if rows.everybody else BillingFilter(ids=tuple(rows.ids))
        found = self._addresses(site_of(request), wanted, self.order(query))
        return await emails_page(request, found, self.name, rows, back=query.address())

    async def _addresses(
        self, site: Site, wanted: BillingFilter, order: ListOrder | None
    ) -> AsyncIterator[Iterable[str | None]]:
        assert self.address is not None, "a list whose rows can be ticked"
        async for rows in self.source.everything(site.pool, wanted, order=order):
            yield [self.address(row) for row in rows]

    async def csv(
        self, site: Site, wanted: BillingFilter, order: ListOrder | None = None
    ) -> AsyncIterator[str]:
        """The lines of the CSV."""
        yield cells(self.columns)
        async for rows in self.source.everything(site.pool, wanted, order=order):
            yield "".join(cells(self.cells(row)) for row in rows)

    def order(self, query: Query) -> ListOrder | None:
        """The order that was chosen; None is the list's own."""
        chosen = self.orders.get(query["sort"])
        return chosen.order if chosen else None

    def wanted(self, request: Request) -> tuple[Query, BillingFilter, str | None]:
        """The filters of a request as they are shown and as they are applied, and what is wrong
        with them."""
        names = ("q", "state", "product", "price", "mode", "from", "to", "sort")
        query = Query(request, names, path=f"/admin/{self.name}")
        problem = None
        try:
            since, until = days_between(query["from"], query["to"])
        except ValueError as error:
            since = until = None
            problem = str(error)
        chosen = self.states.get(query["state"])
        wanted = BillingFilter(
            states=chosen.states if chosen else (),
            product=query["product"] or None,
            price=query["price"] or None,
            livemode=query["mode"] == "live" if query["mode"] in MODES else None,
            since=since,
            until=until,
            search=query["q"] or None,
        )
        return query, wanted, problem


def amount(value: int | None, currency: str | None) -> str | None:
    """An amount for a spreadsheet, in the currency's own unit and without its sign."""
    if value is None or not currency:
        return None
    return str(in_major_units(value, currency))
