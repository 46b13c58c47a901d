"""The products that a Stripe product opens, with what applying a reading needs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules import past_invoices
from latchkey.rules.policy import DEFAULT_POLICY, Policy
from latchkey.rules.reading import Order
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class Draft:
    """A proposed policy: the overrides of one product, or the site's own."""

    overrides: Mapping[str, object]
    product_id: str | None = None

    def of(
        self, product_id: str, site: Mapping[str, object], own: Mapping[str, object]
    ) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """The site's and the product's overrides with this draft."""
        if self.product_id is None:
            return self.overrides, own
        return site, self.overrides if product_id == self.product_id else own


@dataclass(frozen=True)
class LinkedProduct:
    """A product through one of its links. A removed link only maintains the grants it left.

    `importing` stays true until an import succeeds: a failed one waits to be retried.
    """

    product_id: str
    link_id: int
    stripe_product: str
    importing: bool
    removed: bool
    linked_at: datetime
    invoices: str
    import_mail: bool
    import_spread: bool
    access_mail: bool
    policy: Policy

    def counts(self, order: Order) -> bool:
        """Whether an order counts as a purchase for the link, which limits past invoices."""
        return past_invoices.counts(order, looks_back=self.invoices, linked_at=self.linked_at)


def opened_by(
    stripe_products: Collection[str], linked: dict[str, list[LinkedProduct]]
) -> list[LinkedProduct]:
    """The products that a cart or subscription opens, once each: through an active link if there is
    one, otherwise through a removed one."""
    found: dict[str, LinkedProduct] = {}
    for stripe_product in sorted(stripe_products):
        for product in linked.get(stripe_product, []):
            known = found.get(product.product_id)
            if known is None or known.removed:
                found[product.product_id] = product
    return list(found.values())


async def linked_products(
    connection: Connection,
    stripe_products: Collection[str],
    *,
    account: Account,
    draft: Draft | None = None,
) -> dict[str, list[LinkedProduct]]:
    """Linked products by Stripe product, under the current policy or that of `draft`.

    Locks the link rows until the transaction ends, so that no grant appears while a link is being
    removed.
    """
    rows = await connection.fetch(
        """
        select distinct on (l.product_id, l.stripe_product)
               l.id, l.product_id, l.stripe_product, l.state, l.mail, l.invoices, l.created_at,
               l.removed_at is not null as removed,
               p.access_mail and p.status = 'live' as access_mail,
               p.policy_overrides,
               (select value from site_settings where key = 'access_policy') as policy
          from (select * from counting_links
                 where stripe_product = any($1::text[]) and account_id = $2 and livemode = $3
                   for key share) l
          join products p on p.id = l.product_id
         order by l.product_id, l.stripe_product, l.removed_at is null desc, l.id desc
        """,
        list(stripe_products),
        account.id,
        account.livemode,
    )
    found: dict[str, list[LinkedProduct]] = {}
    for row in rows:
        site, own = row["policy"] or {}, row["policy_overrides"]
        if draft is not None:
            site, own = draft.of(row["product_id"], site, own)
        found.setdefault(row["stripe_product"], []).append(
            LinkedProduct(
                product_id=row["product_id"],
                link_id=row["id"],
                stripe_product=row["stripe_product"],
                importing=row["state"] in ("importing", "failed"),
                removed=row["removed"],
                linked_at=row["created_at"],
                invoices=row["invoices"],
                import_mail=row["mail"] != "suppress",
                import_spread=row["mail"] == "spread",
                access_mail=row["access_mail"],
                policy=effective(site, own),
            )
        )
    return found


async def linked_stripe_products(connection: Connection, *, account: Account) -> set[str]:
    """The Stripe products whose purchases count, including those of removed links that kept
    members."""
    rows = await connection.fetch(
        """
        select distinct stripe_product from counting_links
         where stripe_product is not null and account_id = $1 and livemode = $2
        """,
        account.id,
        account.livemode,
    )
    return {row["stripe_product"] for row in rows}


def effective(site: Mapping[str, object], own: Mapping[str, object]) -> Policy:
    """The policy of a product: the default, overridden by the site's cells and then by its own."""
    if not site and not own:
        return DEFAULT_POLICY
    return DEFAULT_POLICY.with_overrides({**site, **own})
