"""One running sandbox: shop, API, clock, deliveries, storage."""

from dataclasses import dataclass
from pathlib import Path

from sandbox import accounts, entitlements, seeds
from sandbox.api import Api
from sandbox.clock import Clock
from sandbox.delivery import Deliveries
from sandbox.schema import Published
from sandbox.shop import Shop
from sandbox.storage import Storage
from sandbox.world import World


@dataclass
class Sandbox:
    """Everything behind the server's routes."""

    shop: Shop
    api: Api
    clock: Clock
    deliveries: Deliveries
    storage: Storage

    def flush(self) -> None:
        self.storage.flush(self.shop.world)


def build(
    *,
    base_url: str,
    data: Path | None = None,
    seed: str | None = None,
    month_seconds: float | None = None,
    chance: int | None = None,
    published: Published | None = None,
) -> Sandbox:
    """A sandbox from its folder, or a new one with the named seed. `chance` fixes every random
    choice; `published` may be shared by several sandboxes."""
    world = World(
        published or Published(), base_url=base_url, month_seconds=month_seconds, seed=chance
    )
    storage = Storage(data)
    known = storage.load(world)
    if known:
        world.dice.go_on(sum(len(table) for table in world.tables.values()))
    else:
        world.keep("account", id=world.new_id("acct", 16))
    account = world.blanks.make(
        "account",
        id=world.private["account"]["id"],
        email="owner@sandbox.example",
        charges_enabled=True,
        payouts_enabled=True,
        details_submitted=True,
        type="standard",
        business_profile=None,
    )
    account["settings"] = seeds.account_settings(world)
    shop = Shop(world, account)
    shop.set_up(world.private.get("settings", {}))
    deliveries = Deliveries(shop)
    shop.outgoing = deliveries.send
    shop.resend = deliveries.resend_event
    shop.render = accounts.render
    shop.watchers["subscription"] = entitlements.refresh
    world.watch = shop.index.note
    if not known and seed:
        seeds.plant(shop, seed)
    storage.flush(world)
    clock = Clock(shop, lambda: storage.flush(world))
    return Sandbox(shop, Api(shop, deliveries.faults), clock, deliveries, storage)
