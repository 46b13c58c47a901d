"""Entitlements: what a customer may use by the products that they subscribe to."""

from sandbox.shop import Shop, invalid
from sandbox.world import Json

FEATURE, ENTITLEMENT = "entitlements.feature", "entitlements.active_entitlement"
ON_PRODUCT = "product_feature"
_ENTITLED = ("trialing", "active", "past_due")


def create_feature(shop: Shop, params: Json) -> Json:
    """A feature. Raises Stripe's 400 where its key is taken."""
    if any(row["lookup_key"] == params["lookup_key"] for row in shop.world.table(FEATURE).values()):
        raise invalid(
            f"A feature with the lookup key {params['lookup_key']} already exists.",
            param="lookup_key",
        )
    made = shop.world.make(
        FEATURE,
        "feat_test",
        active=True,
        lookup_key=params["lookup_key"],
        name=params["name"],
        metadata=params.get("metadata") or {},
    )
    return shop.save(made)


def put_on_product(shop: Shop, product: Json, feature: Json) -> Json:
    """Have a product carry a feature; who subscribed before gets it with the next change or renewal
    of the subscription. Raises Stripe's 400 where it carries it already."""
    if any(row["entitlement_feature"]["id"] == feature["id"] for row in of_product(shop, product)):
        raise invalid("The product has this feature already.", param="entitlement_feature")
    if not feature["active"]:
        raise invalid("The feature is archived.", param="entitlement_feature")
    made = shop.world.make(ON_PRODUCT, "prodft", entitlement_feature=feature)
    kept = shop.world.private.get(f"features/{product['id']}", {}).get("ids", [])
    shop.world.keep(f"features/{product['id']}", ids=[*kept, made["id"]])
    return shop.save(made)


def of_product(shop: Shop, product: Json) -> list[Json]:
    """What ties features to a product, newest first."""
    names = shop.world.private.get(f"features/{product['id']}", {}).get("ids", [])
    table = shop.world.table(ON_PRODUCT)
    return [table[name] for name in names[::-1] if name in table]


def take_off_product(shop: Shop, product: Json, tied: Json) -> None:
    """Have a product carry a feature no longer."""
    kept = shop.world.private[f"features/{product['id']}"]["ids"]
    shop.world.keep(f"features/{product['id']}", ids=[name for name in kept if name != tied["id"]])
    shop.world.forget(ON_PRODUCT, tied["id"])


def active(shop: Shop, customer: str) -> list[Json]:
    """What a customer is entitled to."""
    known = shop.world.private.get(f"entitlements/{customer}", {}).get("by_feature", {})
    table = shop.world.table(ENTITLEMENT)
    return [table[name] for name in known.values() if name in table]


def refresh(shop: Shop, subscription: Json) -> None:
    """Bring a customer's entitlements up to date after a change of a subscription, and tell."""
    if not len(shop.world.table(ON_PRODUCT)):
        return
    customer = subscription["customer"]
    before = _summary(shop, customer)
    known: Json = shop.world.private.get(f"entitlements/{customer}", {}).get("by_feature", {})
    wanted = _features(shop, customer)
    after = {name: known[name] for name in known if name in wanted}
    for name, feature in wanted.items():
        if name not in after:
            made = shop.world.make(
                ENTITLEMENT, "ent_test", feature=name, lookup_key=feature["lookup_key"]
            )
            after[name] = shop.world.store(made)["id"]
    for name, entitlement in known.items():
        if name not in after:
            shop.world.forget(ENTITLEMENT, entitlement)
    shop.world.keep(f"entitlements/{customer}", by_feature=after)
    shop.emit(f"{ENTITLEMENT}_summary.updated", _summary(shop, customer), before)


def _features(shop: Shop, customer: str) -> dict[str, Json]:
    """The features of all products that a customer subscribes to, by their ids."""
    found: dict[str, Json] = {}
    rows = shop.world.table("subscription").newest_first(
        {"customer": customer}, before=None, after=None
    )
    for subscription in rows:
        if subscription["status"] in _ENTITLED:
            for item in subscription["items"]["data"]:
                for tied in of_product(shop, {"id": item["price"]["product"]}):
                    feature = tied["entitlement_feature"]
                    found[feature["id"]] = feature
    return found


def _summary(shop: Shop, customer: str) -> Json:
    return {
        "object": f"{ENTITLEMENT}_summary",
        "customer": customer,
        "livemode": False,
        "entitlements": {
            "object": "list",
            "data": active(shop, customer),
            "has_more": False,
            "url": f"/v1/customer/{customer}/entitlements",
        },
    }
