"""What the JSON API takes and gives. Written by `make clients`; don't edit it by hand."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class AboutNothing(TypedDict):
    pass


class Acceptance(TypedDict):
    """
    `email` says who a purchase without an address belongs to.
    """

    email: NotRequired[str | None]


class AccessSpan(TypedDict):
    """
    One grant as a period of time. `until` is exclusive: it is when access ended here, or null
    when no end is known. `due_at` is when an end that has come was due.
    """

    id: int
    user: int
    email: str
    product: str
    source: str
    source_id: str
    since: str
    until: str | None
    due_at: str | None
    end_reason: str | None
    cause: str


class AccessToken(TypedDict):
    """
    `token` is a JWT, signed by a key of `/oauth/jwks`. It says `product` (the slug) and
    `product_id`, and `sub`, the user's id.
    """

    token: str
    expires_at: str


class Activity(TypedDict):
    """
    One fact. `user` and `product` are ids here, `source_id` is Stripe's.

    What many people get or lose at once has the cause `bulk`, and shares a `source_id` with the
    line that counts them (type `bulk_change`, `users_imported`, `import_undone` or
    `link_removed`).

    `at` is when it happened here. `due_at` is when it happened in Stripe or, for `access_ended`,
    when that was due; null where nothing says so.
    """

    id: int
    type: str
    user: int | None
    email: str | None
    product: str | None
    cause: str
    at: str
    due_at: str | None
    source_id: str | None
    event_id: str | None
    workflow_id: str | None
    data: dict[str, Any]


class ActivityList(TypedDict):
    data: list[Activity]
    next: str | None


class Address(TypedDict):
    email: str
    source: str
    added_at: str


class AddressList(TypedDict):
    data: list[Address]
    next: str | None


class AskToMerge(TypedDict):
    """
    The other user.
    """

    user: int
    reason: NotRequired[str | None]


class AuditEvent(TypedDict):
    """
    One line. `actor_id` is a user's or a token's, by `actor`; `on_behalf_of` is the member that
    an admin saw the site as. `count` is how often it happened within a minute.
    """

    id: int
    at: str
    action: str
    outcome: str
    actor: str
    actor_id: int | None
    on_behalf_of: int | None
    ip: str | None
    agent: str | None
    target: str | None
    target_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    count: int


class AuditEventList(TypedDict):
    data: list[AuditEvent]
    next: str | None


class Checkout(TypedDict):
    """
    `url` is the payment link's URL, null while there is none. `obstacle` is what keeps buyers
    from paying, as Stripe was last read: `product_deleted`, `product_archived`, `price_archived`,
    `link_off`, `link_spent` (as many sales as its limit) or `link_refused`.
    """

    enabled: bool
    price: str | None
    url: str | None
    payment_link: str | None
    promotion_codes: bool
    purchase_method: str
    obstacle: str | None


class CheckoutChoice(TypedDict):
    """
    Whether the product has a checkout, and which price of its Stripe product it sells.
    `payment_link` asks for a payment link of that price as well.
    """

    enabled: bool
    price: NotRequired[str | None]
    promotion_codes: NotRequired[bool | None]
    payment_link: NotRequired[bool]


class CheckoutFor(TypedDict):
    """
    What is bought, and by whom.

    `price` picks one of the product's offers; if it is left out, the first that Stripe sells.
    `user` is the id of somebody who is signed in on your site as this user: the purchase is theirs,
    and goes to their own Stripe customer. `email` is an address that somebody typed: it is only
    filled in. Buyers go to `return_url` after paying, with the session's id as `session`, and when
    they turn back; by default to this site's own pages. `currency` is one of those that the price
    has; if it is left out, or isn't one of them, Stripe chooses by the buyer's country. `again`
    asks for a session although this person has a subscription of the product that isn't over, or a
    payment under way.
    """

    product: str
    price: NotRequired[str | None]
    email: NotRequired[str | None]
    user: NotRequired[int | None]
    return_url: NotRequired[str | None]
    currency: NotRequired[str | None]
    again: NotRequired[bool]


class CheckoutSession(TypedDict):
    """
    `url` is Stripe's page, for this buyer only. It can be paid until `expires_at`.
    """

    id: str
    url: str
    expires_at: str


Difference: TypeAlias = int


class Choice(TypedDict):
    """
    What to repair: the differences with these ids, or all safe ones if omitted.
    """

    differences: NotRequired[list[Difference] | None]


class Collection(TypedDict):
    """
    `products` are in the collection; those of `sold_as` open it: whoever has one of them has the
    collection as long. `holders` counts the people whom it was given to, `buyers` those who have
    it by a product.
    """

    id: str
    name: str
    description: str
    products: list[str]
    sold_as: list[str]
    holders: int
    buyers: int
    created_at: str


class CollectionChanges(TypedDict):
    """
    The fields to change; omitted ones stay as they are. `products` and `sold_as` replace the
    whole lists.
    """

    name: NotRequired[str | None]
    description: NotRequired[str | None]
    products: NotRequired[list[str] | None]
    sold_as: NotRequired[list[str] | None]


class CollectionList(TypedDict):
    data: list[Collection]
    next: str | None


class CommunityAccount(TypedDict):
    """
    An account that the user has connected, in a community: a Discord server or Slack workspace.
    `id` is its id there. `away` says that it isn't in the community at present; `roles` are the
    roles or channels that access here has given it.
    """

    community: str
    kind: str
    id: str
    name: str | None
    connected_at: str
    away: bool
    roles: list[str]


class Customer(TypedDict):
    """
    A Stripe customer that belongs to the user.
    """

    id: str
    email: str | None
    name: str | None
    livemode: bool
    deleted: bool


class CustomerPaid(TypedDict):
    """
    `amount` is in the currency's minor unit.
    """

    currency: str
    amount: int


class CustomerRecurring(TypedDict):
    """
    `amount` is in the currency's minor unit, for each period of `interval_count` intervals.
    """

    currency: str
    amount: int
    interval: str
    interval_count: int


Difference1 = TypedDict(
    "Difference1",
    {
        "id": int,
        "kind": str,
        "class": str,
        "reason": str,
        "source": str,
        "source_id": str,
        "product": str | None,
        "user": int | None,
        "email": str | None,
        "workflow_id": str | None,
        "state": str,
        "error": str | None,
        "repairable": bool,
        "found_at": str,
        "repaired_at": str | None,
    },
)


class Event(TypedDict):
    """
    A Stripe event as it was received; `id` is Stripe's. `source` is webhook, or catch_up if no
    webhook delivered it and it was found in Stripe's event list.
    """

    id: str
    type: str
    object_id: str
    state: str
    attempts: int
    error: str | None
    source: str
    created_at: str
    received_at: str
    handled_at: str | None
    ignored_reason: str | None


class EventList(TypedDict):
    data: list[Event]
    next: str | None


class GiftsDone(TypedDict):
    """
    How many people got access, how many had theirs changed, and how many users are new.
    """

    granted: int
    changed: int
    users_created: int


class Grant(TypedDict):
    """
    `state` is live, ending or ended. `ended_at` is when access ended here, `due_at` when it was
    due.
    """

    id: int
    user_id: int
    email: str
    product_id: str
    source: str
    source_id: str
    since: str
    until: str | None
    ended_at: str | None
    due_at: str | None
    end_reason: str | None
    cause: str
    reason: str | None
    held: bool
    state: str


class GrantList(TypedDict):
    data: list[Grant]
    next: str | None


GrantSource: TypeAlias = Literal["subscription", "order", "manual", "collection", "product"]


class Holder(TypedDict):
    """
    A person who has the collection.
    """

    id: int
    user_id: int
    email: str
    since: str
    until: str | None
    reason: str | None


class HolderList(TypedDict):
    data: list[Holder]
    next: str | None


class Ignoring(TypedDict):
    reason: str


class ImportFigures(TypedDict):
    """
    How many people the lines are about, and how many lines have each outcome so far. The last
    four count the lines of customers whom Stripe knows.
    """

    people: int
    new_people: int
    given: int
    has_it: int
    bought: int
    left_to_link: int
    over: int
    person_only: int
    refused: int
    by_subscription: int
    by_customer: int
    by_address: int
    other_person: int


class ImportedLine(TypedDict):
    """
    A line of the file and what comes of it. `user_id` is who has its address, if anybody has;
    `column` and `problem` say why it is refused. Once the import was taken back, `undo` says what
    became of the access that the line gave, and `account` of the account that it created;
    `undone_labels` are the labels that were taken back.
    """

    line: int
    email: str | None
    user_id: int | None
    product_id: str | None
    until: str | None
    outcome: str
    column: str | None
    problem: str | None
    labels: list[str]
    undo: str | None
    account: str | None
    undone_labels: list[str]


class ImportedLineList(TypedDict):
    data: list[ImportedLine]
    next: str | None


class LabelFigures(TypedDict):
    """
    How many people get a label, or have it already; `new` if nobody has it yet.
    """

    label: str
    people: int
    new: bool


Label: TypeAlias = str


class Labels(TypedDict):
    labels: list[Label]


class Lesson(TypedDict):
    """
    A lesson. `body` is Markdown, and members see it if `status` is `live`. It opens
    `released_after_days` times 24 hours after a member's access to the product first began.
    """

    id: str
    product_id: str
    title: str
    body: str
    video_url: str | None
    released_after_days: int
    status: str
    created_at: str
    updated_at: str


class LessonChanges(TypedDict):
    """
    What can be changed; anything left out stays as it is.
    """

    title: NotRequired[str | None]
    body: NotRequired[str | None]
    video_url: NotRequired[str | None]
    released_after_days: NotRequired[int | None]
    status: NotRequired[Literal["draft", "live"] | None]


class LessonOrder(TypedDict):
    """
    The ids of all lessons of the product, each once.
    """

    lessons: list[str]


class Link(TypedDict):
    """
    `progress` counts what the import has processed so far.
    """

    id: int
    product_id: str
    stripe_product: str | None
    stripe_product_name: str | None
    state: str
    mail: str
    progress: dict[str, Any]
    error: str | None
    workflow_id: str
    created_at: str
    listening_at: str | None


class ListedLesson(TypedDict):
    """
    A lesson without its text. `done` counts the people who marked it as done.
    """

    id: str
    title: str
    released_after_days: int
    status: str
    done: int


class LiveGrant(TypedDict):
    """
    One live grant, which lets the person open the product.

    `source_id` is Stripe's id of a subscription or purchase, or the collection. Of the source
    `product`, which opens the collection that the product asked for is in, it is the id of that
    product, a slash, and the id of its grant. This one lasts as long as that one.
    """

    id: int
    source: str
    source_id: str
    since: str
    until: str | None
    state: str


class Merge(TypedDict):
    """
    How many rows were moved, by table and column.
    """

    user_id: int
    from_user: int
    moved: dict[str, int]


class MergeRequest(TypedDict):
    """
    A request to the owners of two users to agree to a merge. `into_user` stays, `other_user`
    goes. `waits_for` are the users whose owner hasn't answered yet. `state` is open, merged,
    declined, expired or replaced.
    """

    id: int
    match_id: int | None
    into_user: int
    other_user: int
    state: str
    waits_for: list[int]
    created_at: str
    decided_at: str | None
    expires_at: str


class MergeRequestList(TypedDict):
    data: list[MergeRequest]
    next: str | None


class MergeWith(TypedDict):
    """
    The user to merge into the one in the path. `reason` says how you know that both are one
    person.
    """

    user: int
    reason: str


class Metrics(TypedDict):
    """
    The figures of the days from `since` to `until`. Numbers of members, subscribers and trials,
    and `mrr`, are as of the end of the last day; all else happened in these days. Amounts are in
    the currency's minor unit, rates in percent (null where there was nothing to count).
    """

    since: str
    until: str
    members: int
    members_joined: int
    members_left: int
    subscribers: int
    subscribers_new: int
    subscribers_reactivated: int
    subscribers_churned: int
    subscriber_churn_rate: float | None
    mrr: int
    mrr_new: int
    mrr_reactivated: int
    mrr_expanded: int
    mrr_contracted: int
    mrr_churned: int
    revenue_churn_rate: float | None
    trials: int
    trials_started: int
    trials_converted: int
    trials_lost: int
    trial_conversion_rate: float | None
    purchases: int
    one_time_revenue: int


class NewCollection(TypedDict):
    """
    Products that are granted together, by id.
    """

    name: str
    description: NotRequired[str]
    products: NotRequired[list[str]]


class NewGrant(TypedDict):
    """
    Complimentary access, without an end or until a time with a time zone.
    """

    email: str
    until: NotRequired[str | None]
    reason: NotRequired[str | None]
    mail: NotRequired[bool]


class NewLesson(TypedDict):
    """
    A lesson to create.
    """

    title: str
    body: NotRequired[str | None]
    video_url: NotRequired[str | None]
    released_after_days: NotRequired[int | None]
    status: NotRequired[Literal["draft", "live"] | None]


class NewPrice(TypedDict):
    """
    A Stripe product to create, with its price in the currency's minor unit.
    """

    amount: int
    currency: str
    interval: NotRequired[Literal["day", "week", "month", "year"] | None]


class NewProduct(TypedDict):
    """
    A product to create. If the slug is omitted, it is derived from the name.
    """

    name: str
    slug: NotRequired[str | None]
    description: NotRequired[str | None]
    image_url: NotRequired[str | None]
    status: NotRequired[Literal["draft", "live"] | None]
    access_mode: NotRequired[Literal["assigned", "signed_in", "public"] | None]
    access_mail: NotRequired[bool | None]
    content: NotRequired[str | None]
    content_url: NotRequired[str | None]
    purchase_method: NotRequired[Literal["none", "sales_page", "checkout"] | None]
    checkout_target: NotRequired[Literal["stripe", "payment_link", "external"] | None]
    external_url: NotRequired[str | None]
    show_locked: NotRequired[bool | None]
    one_trial: NotRequired[bool | None]


class NewReconciliation(TypedDict):
    """
    `dry_run` only reports; otherwise safe differences are repaired as they are found.
    """

    dry_run: bool
    product: NotRequired[str | None]


class OfferedPrice(TypedDict):
    """
    A price that the product is sold at.

    `featured` marks it as the most popular; only one can be. `trial_days` is how long a
    subscription is free at first, and `most` how many can be bought at once (null: one).
    `billing_address` and `tax_ids` say what the checkout asks for, `automatic_tax` has Stripe work
    out the tax (set up Stripe Tax first), and `promotion_codes` counts only if the product takes
    promotion codes.
    """

    price: str
    label: NotRequired[str | None]
    featured: NotRequired[bool]
    trial_days: NotRequired[int | None]
    most: NotRequired[int | None]
    billing_address: NotRequired[bool]
    tax_ids: NotRequired[bool]
    promotion_codes: NotRequired[bool]
    automatic_tax: NotRequired[bool]


class OfferedPrices(TypedDict):
    """
    All prices that the product is sold at, in order. A list by itself is taken, too.
    """

    data: list[OfferedPrice]


class OneGift(TypedDict):
    email: str
    until: NotRequired[str | None]
    reason: NotRequired[str | None]


class PastMerge(TypedDict):
    """
    A user who was merged into this one. `moved` counts the rows that moved, by table and column.
    `obstacle` says why the merge can't be undone, null if it can.
    """

    from_user: int
    email: str
    name: str | None
    reason: str | None
    merged_by: str | None
    merged_at: str
    moved: dict[str, int]
    obstacle: str | None


class PastMergeList(TypedDict):
    data: list[PastMerge]
    next: str | None


class PicturePlace(TypedDict):
    """
    What shows a picture: a `product`, a `lesson`, the `sales_page` of the product with the `id`,
    a `text` of members' pages, or the `brand`, where `id` is the setting, such as `logo_url`.
    """

    kind: str
    id: str


class PlanOf(TypedDict):
    """
    Which product a plan in the file is, by id; null for none: its people only get an account.
    """

    plan: str
    product: str | None


class PolicyCells(TypedDict):
    """
    The cells to set. Omitted cells return to the default (for a product, the site's cell).

    True means access. `past_due_days` is the grace period in days, null for no limit.
    """

    trialing: NotRequired[bool]
    past_due_days: NotRequired[int | None]
    unpaid: NotRequired[bool]
    paused: NotRequired[bool]
    incomplete: NotRequired[bool]
    collection_paused: NotRequired[bool]
    full_refund: NotRequired[bool]
    partial_refund: NotRequired[bool]
    dispute_opened: NotRequired[bool]
    dispute_lost: NotRequired[bool]


class PolicyChange(TypedDict):
    """
    The progress of applying a saved change to everyone: waiting, applying or done.
    """

    id: int
    product_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    state: str
    checked: int
    granted: int
    ended: int
    created_at: str
    finished_at: str | None


class PolicyEffect(TypedDict):
    """
    What would happen to one person's access to one product: `gains`, `loses`, or `moves` if its
    end changes. `user_id` is null for someone who isn't a user yet.
    """

    user_id: int | None
    email: str | None
    product_id: str
    product: str
    outcome: str
    source_ids: list[str]
    reason: str
    until: str | None


class PolicyPreview(TypedDict):
    """
    Who would be affected: counts over everyone, and `data` with the first of them, losses
    first.
    """

    checked: int
    gains: int
    loses: int
    moves: int
    data: list[PolicyEffect]


class PortalFor(TypedDict):
    """
    Whose billing to open. `customer` picks one of several Stripe customers.
    """

    email: str
    customer: NotRequired[str | None]


class PortalSession(TypedDict):
    """
    `url` is for this customer only and expires within minutes.
    """

    url: str
    customer: str


class PreviewOf(TypedDict):
    stripe_product: str


class PreviewRecord(TypedDict):
    """
    One subscription or order of one customer: what will happen and why.
    """

    source_id: str
    customer_id: str | None
    email: str | None
    name: str | None
    outcome: str
    reason: str


class Problem(TypedDict):
    """
    An error (RFC 9457).
    """

    type: str
    title: str
    status: int
    code: str
    detail: str


class Product(TypedDict):
    """
    A product on the site. `content` is Markdown.

    `/buy/<slug>` leads wherever `purchase_method` and `checkout_target` point. With `show_locked`,
    people without access see a locked card once there is a way to buy the product. With
    `one_trial`, whoever had free days of the product isn't given any again.
    `opens_collection` is the collection that whoever has the product has, too.
    """

    id: str
    slug: str
    name: str
    description: str
    image_url: str | None
    status: str
    access_mode: str
    access_mail: bool
    content: str
    content_url: str | None
    purchase_method: str
    checkout_target: str
    external_url: str | None
    show_locked: bool
    one_trial: bool
    opens_collection: str | None
    created_at: str
    updated_at: str


class ProductChanges(TypedDict):
    """
    What can be changed; anything left out stays as it is.
    """

    name: NotRequired[str | None]
    slug: NotRequired[str | None]
    description: NotRequired[str | None]
    image_url: NotRequired[str | None]
    status: NotRequired[Literal["draft", "live"] | None]
    access_mode: NotRequired[Literal["assigned", "signed_in", "public"] | None]
    access_mail: NotRequired[bool | None]
    content: NotRequired[str | None]
    content_url: NotRequired[str | None]
    purchase_method: NotRequired[Literal["none", "sales_page", "checkout"] | None]
    checkout_target: NotRequired[Literal["stripe", "payment_link", "external"] | None]
    external_url: NotRequired[str | None]
    show_locked: NotRequired[bool | None]
    one_trial: NotRequired[bool | None]


class ProductFigures(TypedDict):
    """
    How many people get a product: without an end, or until when at most.
    """

    product_id: str
    people: int
    without_end: int
    last_end: str | None


class ProductList(TypedDict):
    data: list[Product]
    next: str | None


class ProductPolicy(TypedDict):
    """
    `overrides` are the cells that the product sets itself.
    """

    trialing: bool
    past_due_days: int | None
    unpaid: bool
    paused: bool
    incomplete: bool
    collection_paused: bool
    full_refund: bool
    partial_refund: bool
    dispute_opened: bool
    dispute_lost: bool
    change: PolicyChange | None
    overrides: dict[str, Any]


class PurchaseLine(TypedDict):
    """
    `product_name` is Stripe's.
    """

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None
    amount: int


class Reconciliation(TypedDict):
    """
    `state` is queued, running, done or failed. `counts` holds the differences by class, and how
    many were repaired or failed to be.
    """

    id: str
    dry_run: bool
    product: str | None
    cause: str
    state: str
    error: str | None
    progress: dict[str, Any]
    counts: dict[str, int]
    created_at: str
    started_at: str | None
    finished_at: str | None
    workflow_id: str


class ReconciliationList(TypedDict):
    data: list[Reconciliation]
    next: str | None


class Removed(TypedDict):
    """
    What happened to the members.
    """

    active_subscriptions: int
    kept: int
    ended: int
    converted: int


class Replacement(TypedDict):
    """
    The `id` or `url` of the picture to show instead.
    """

    by: str


class Report(TypedDict):
    """
    A comparison with one page of its differences.
    """

    id: str
    dry_run: bool
    product: str | None
    cause: str
    state: str
    error: str | None
    progress: dict[str, Any]
    counts: dict[str, int]
    created_at: str
    started_at: str | None
    finished_at: str | None
    workflow_id: str
    differences: list[Difference1]
    next: str | None


class ShownPrice(TypedDict):
    """
    `amount` is in the currency's minor unit, null if it varies. `sellable` is false while the
    price or its product is archived in Stripe. `error` is why Stripe last refused to sell it.
    """

    price: str
    label: str | None
    featured: bool
    trial_days: int | None
    most: int | None
    billing_address: bool
    tax_ids: bool
    promotion_codes: bool
    automatic_tax: bool
    amount: int | None
    currency: str
    interval: str | None
    interval_count: int | None
    sellable: bool
    error: str | None


class SlowPurchase(TypedDict):
    """
    A purchase that was late. `seconds` is null if no event reported it, and a comparison found
    it.
    """

    at: str
    seconds: float | None
    event: str | None
    user_id: int | None
    product: str | None


class SpanList(TypedDict):
    data: list[AccessSpan]
    next: str | None


class SpeedDay(TypedDict):
    """
    A day in UTC. Half of its purchases opened within `median_seconds`, 95 in a hundred within
    `p95_seconds`; null where no event reported them.
    """

    purchases: int
    in_time: int
    share: float | None
    day: str
    median_seconds: float | None
    p95_seconds: float | None


class SpeedWindow(TypedDict):
    """
    The last days together. `late_left` is how many more purchases may be late while the goal is
    still met.
    """

    purchases: int
    in_time: int
    share: float | None
    days: int
    goal_met: bool
    late_left: int


class StartImport(TypedDict):
    """
    The preview to carry out.
    """

    preview: int


class StatusOf(TypedDict):
    """
    What a status in the file means if it isn't known here.
    """

    status: str
    meaning: Literal["goes_on", "over"]


class Step(TypedDict):
    """
    One source of access, with everything that led to it or followed from it. `grant` is null for
    a purchase that didn't give access. `explanation` says when and why access ends, or why there is
    none.
    """

    explanation: str
    grant: dict[str, Any] | None
    stripe_object: dict[str, Any] | None
    stripe_url: str | None
    workflow_id: str | None
    workflow_url: str | None
    events: list[dict[str, Any]]
    activities: list[dict[str, Any]]
    mails: list[dict[str, Any]]


class StripePrice(TypedDict):
    """
    `unit_amount` is in the currency's minor unit, null if the buyer or tiers set the amount.
    """

    id: str
    active: bool
    type: str
    currency: str
    unit_amount: int | None
    interval: str | None
    interval_count: int | None
    nickname: str | None


class StripeProduct(TypedDict):
    """
    A product in the Stripe account. `linked_to` holds ids of the site's products.
    """

    id: str
    name: str
    description: str | None
    image_url: str | None
    active: bool
    active_subscriptions: int
    counted_at: str | None
    linked_to: list[str]
    prices: list[StripePrice]


class StripeProductList(TypedDict):
    data: list[StripeProduct]
    next: str | None


class SubscribedItem(TypedDict):
    """
    `product_name` is Stripe's.
    """

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None


class Subscription(TypedDict):
    """
    `status` is Stripe's; `state` says what matters most about it. `amount` is for each period,
    before discounts and taxes, and null where it varies. `user` is the user's id; `email` their
    address, or the customer's if nobody has an account yet.
    """

    id: str
    state: str
    status: str
    user: int | None
    email: str | None
    customer: str
    amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    items: list[SubscribedItem]
    created_at: str
    period_end: str | None
    trial_end: str | None
    scheduled_end: str | None
    past_due_since: str | None
    ended_at: str | None
    livemode: bool


class SubscriptionList(TypedDict):
    data: list[Subscription]
    next: str | None


class TeamMember(TypedDict):
    """
    An owner, an admin or support.
    """

    id: int
    email: str
    role: str
    authenticator_app: bool
    passkeys: int
    lacks_second_factor: bool


class TokenRequest(TypedDict):
    """
    Who is to open what, and where.
    """

    product: str
    email: NotRequired[str | None]
    user: NotRequired[int | None]
    audience: str


class UndoImport(TypedDict):
    """
    The preview to carry out, and whether accounts that nobody used are deleted.
    """

    preview: str
    delete_accounts: NotRequired[bool]


class UndoneProduct(TypedDict):
    """
    How many people lose the complimentary access to a product, and how many of them keep the
    product by a purchase or a collection.
    """

    product_id: str
    people: int
    by_purchase: int
    by_collection: int


class User(TypedDict):
    """
    A user. `locale` is the language that they read, as a BCP 47 tag; null if it isn't known.
    `labels` are what the team calls them.
    """

    id: int
    email: str
    name: str | None
    role: str
    locale: str | None
    created_at: str
    customers: list[Customer]
    communities: list[CommunityAccount]
    labels: list[str]


class UserList(TypedDict):
    data: list[User]
    next: str | None


class WebhookProduct(TypedDict):
    """
    `slug` and `name` are null once the product was deleted.
    """

    id: str
    slug: str | None
    name: str | None


class WebhookSource(TypedDict):
    """
    What it comes from. `id` is Stripe's, or a collection's.
    """

    type: GrantSource
    id: str | None


class WebhookUser(TypedDict):
    """
    `email` is null once the user was erased.
    """

    id: int
    email: str | None


class Who(TypedDict):
    """
    A product and a person.
    """

    product: str
    email: NotRequired[str | None]
    user: NotRequired[int | None]


class WholeEvent(TypedDict):
    """
    `body` is what Stripe sent, null once it has been deleted.
    """

    id: str
    type: str
    object_id: str
    state: str
    attempts: int
    error: str | None
    source: str
    created_at: str
    received_at: str
    handled_at: str | None
    ignored_reason: str | None
    body: str | None


class Why(TypedDict):
    """
    The chain behind the answer of `/access`: live sources first, then ended ones.
    """

    access: bool
    until: str | None
    explanation: str
    product: str
    user: int | None
    chain: list[Step]


class TestEvent(TypedDict):
    type: Literal["test"]
    version: Literal[1]
    timestamp: str
    data: AboutNothing


class AboutAccess(TypedDict):
    """
    `until` is when access ends, null if no end is known.
    """

    user: WebhookUser
    product: WebhookProduct
    source: WebhookSource
    until: str | None


class AboutCancellation(TypedDict):
    """
    `until` is when the subscription ends, null if it has ended.
    """

    user: WebhookUser
    product: WebhookProduct
    source: WebhookSource
    until: str | None


class AboutEnd(TypedDict):
    """
    `reason` is one of the API's end reasons.
    """

    user: WebhookUser
    product: WebhookProduct
    source: WebhookSource
    reason: str


class AboutMerge(TypedDict):
    """
    `merged_user` stands for the user from now on.
    """

    user: WebhookUser
    merged_user: int


class AboutPurchase(TypedDict):
    user: WebhookUser
    product: WebhookProduct
    source: WebhookSource


class AboutRefund(TypedDict):
    """
    `amount` is what was refunded of the payment so far, in the currency's minor unit.
    """

    user: WebhookUser
    product: WebhookProduct
    source: WebhookSource
    amount: int
    currency: str
    full: bool
    invoice: NotRequired[str | None]


class AboutUser(TypedDict):
    user: WebhookUser


class Access(TypedDict):
    """
    `until` is null when no end is known.
    """

    access: bool
    until: str | None
    grants: list[LiveGrant]


class BillingCustomer(TypedDict):
    """
    `email` and `name` are the customer's at Stripe. `user` is the id of the user whom the
    customer belongs to, and `user_email` their address. `added_at` is when the customer was first
    seen here.

    `paid_once` is what their one-off purchases brought, less refunds, credits and lost disputes.
    `recurring` is what their running subscriptions cost before discounts and taxes; a subscription
    whose amount varies isn't in it. The renewals that they paid aren't added up anywhere here.
    """

    id: str
    email: str | None
    name: str | None
    user: int | None
    user_email: str | None
    subscriptions: int
    running_subscriptions: int
    purchases: int
    paid_once: list[CustomerPaid]
    recurring: list[CustomerRecurring]
    deleted: bool
    added_at: str
    livemode: bool


class CustomerList(TypedDict):
    data: list[BillingCustomer]
    next: str | None


class Gifts(TypedDict):
    """
    Access for many people. If an address is given twice, its last entry counts.
    """

    grants: list[OneGift]
    mail: NotRequired[bool]


class LessonList(TypedDict):
    data: list[ListedLesson]
    next: str | None


class LinkTo(TypedDict):
    """
    An existing Stripe product or one to create. `members` is for replacing another link.
    """

    stripe_product: NotRequired[str | None]
    create: NotRequired[NewPrice | None]
    mail: NotRequired[Literal["send", "suppress", "spread"]]
    members: NotRequired[Literal["keep", "end", "complimentary"] | None]
    invoices: NotRequired[Literal["none", "year", "all"]]


class Match(TypedDict):
    """
    A doubt about who someone is. `user` has (or keeps) the purchase, `other` is the other person
    it might be. `merges` says whether accepting asks the owners of both to agree to a merge:
    `request` is the latest one. An address is proven once somebody has followed a link to it.
    """

    id: int
    kind: str
    user_id: int | None
    user_email: str | None
    other_id: int | None
    other_email: str | None
    customer_id: str | None
    source: str | None
    source_id: str | None
    email: str | None
    user_proven: bool
    other_proven: bool
    merges: bool
    request: MergeRequest | None
    state: str
    created_at: str
    decided_at: str | None


class MatchList(TypedDict):
    data: list[Match]
    next: str | None


class MemberImport(TypedDict):
    """
    An import. It is `checking`, `ready` to be started, `running` or `done`; one that was
    uploaded on the page may wait for `columns` or `plans`, or be `mailing`. One that is taken back
    is `undoing`, perhaps `deleting` accounts, then `undone`. `worked` of its `lines` have been gone
    through for that. `preview` names what `figures`, `products` and `labels` are about.
    """

    id: str
    file_name: str
    state: str
    lines: int
    worked: int
    preview: int
    figures: ImportFigures
    products: list[ProductFigures]
    labels: list[LabelFigures]
    created_at: str
    started_at: str | None
    finished_at: str | None
    undone_at: str | None


class MetricSeries(TypedDict):
    """
    `total` is the whole period, `before` the one just as long before it, `data` its parts.
    `currencies` are all that were paid in. The figures were counted at `counted_at`; null: not yet.
    Until `exact_since`, changes of price and quantity of imported subscriptions aren't known.
    """

    currency: str | None
    currencies: list[str]
    interval: Literal["day", "week", "month"]
    total: Metrics
    before: Metrics
    data: list[Metrics]
    counted_at: str | None
    exact_since: str | None


class NewMemberImport(TypedDict):
    """
    A CSV file and what it means.

    `columns` says what each column holds, "" for nothing; if it is left out, what their names
    suggest. `plans` names each plan in the file, or `""` in one without plans. Lines whose status
    isn't known and isn't in `statuses` are refused. `dates` says how dates such as 03/04/2027 are
    meant, where they don't show it themselves.
    """

    csv: str
    file_name: NotRequired[str]
    columns: NotRequired[
        list[
            Literal[
                "",
                "email",
                "name",
                "plan",
                "until",
                "customer",
                "subscription",
                "status",
                "language",
                "labels",
            ]
        ]
        | None
    ]
    plans: list[PlanOf]
    statuses: NotRequired[list[StatusOf]]
    dates: NotRequired[Literal["day_first", "month_first"] | None]


class Picture(TypedDict):
    """
    An uploaded picture. `id` is the SHA-256 of its largest file, and `url` that file's address,
    for `image_url` and the Markdown of texts. While nothing shows it, it is deleted after a day.
    """

    id: str
    url: str
    urls: list[str]
    shown_by: list[PicturePlace]
    created_at: str


class PictureList(TypedDict):
    data: list[Picture]
    next: str | None


class Policy(TypedDict):
    """
    The cells in force, and the last change to them.
    """

    trialing: bool
    past_due_days: int | None
    unpaid: bool
    paused: bool
    incomplete: bool
    collection_paused: bool
    full_refund: bool
    partial_refund: bool
    dispute_opened: bool
    dispute_lost: bool
    change: PolicyChange | None


class Preview(TypedDict):
    """
    `counts` covers all records by outcome, `records` holds the first 1,000.
    """

    id: str
    product_id: str
    stripe_product: str
    state: str
    counts: dict[str, int]
    records: list[PreviewRecord]


class PriceList(TypedDict):
    data: list[ShownPrice]
    next: str | None


class Purchase(TypedDict):
    """
    A checkout session, or an invoice without one. `state` follows the money. `user` is the
    user's id; `email` their address, or the buyer's if nobody has an account yet.
    """

    id: str
    state: str
    user: int | None
    email: str | None
    customer: str | None
    amount: int
    amount_refunded: int
    amount_credited: int
    currency: str | None
    dispute_status: str | None
    payment_intent: str | None
    invoice: str | None
    lines: list[PurchaseLine]
    created_at: str
    paid_at: str | None
    livemode: bool


class PurchaseList(TypedDict):
    data: list[Purchase]
    next: str | None


class PurchaseSpeed(TypedDict):
    """
    `goal` is the share in percent that has to open within `within_seconds`. `windows` are the
    last day, 7 and 28 days, `days` begin with the latest, `slowest` are at most ten of 28 days.
    """

    within_seconds: float
    goal: float
    windows: list[SpeedWindow]
    days: list[SpeedDay]
    slowest: list[SlowPurchase]


class Team(TypedDict):
    data: list[TeamMember]
    next: str | None
    second_factor_required: bool


class UndoPreview(TypedDict):
    """
    What taking an import back comes to. `people` lose a product altogether. `access` says what
    becomes of what the import gave, counting each person and product once: `taken_back`, `restored`
    to the end that it had before, or why it stays. `accounts` says which of those that it created
    can be `deleted`, and why others stay; `labels`, how many people lose which label. `preview`
    names all of this; `until` is how long the import can be taken back.
    """

    preview: str
    people: int
    products: list[UndoneProduct]
    access: dict[str, int]
    accounts: dict[str, int]
    labels: dict[str, int]
    until: str


class AccessGrantedEvent(TypedDict):
    type: Literal["access.granted"]
    version: Literal[1]
    timestamp: str
    data: AboutAccess


class AccessEndingEvent(TypedDict):
    type: Literal["access.ending"]
    version: Literal[1]
    timestamp: str
    data: AboutAccess


class AccessEndedEvent(TypedDict):
    type: Literal["access.ended"]
    version: Literal[1]
    timestamp: str
    data: AboutEnd


class PurchaseCompletedEvent(TypedDict):
    type: Literal["purchase.completed"]
    version: Literal[1]
    timestamp: str
    data: AboutPurchase


class PurchaseRefundedEvent(TypedDict):
    type: Literal["purchase.refunded"]
    version: Literal[1]
    timestamp: str
    data: AboutRefund


class SubscriptionStartedEvent(TypedDict):
    type: Literal["subscription.started"]
    version: Literal[1]
    timestamp: str
    data: AboutPurchase


class SubscriptionCancelledEvent(TypedDict):
    type: Literal["subscription.cancelled"]
    version: Literal[1]
    timestamp: str
    data: AboutCancellation


class SubscriptionResumedEvent(TypedDict):
    type: Literal["subscription.resumed"]
    version: Literal[1]
    timestamp: str
    data: AboutPurchase


class SubscriptionPastDueEvent(TypedDict):
    type: Literal["subscription.past_due"]
    version: Literal[1]
    timestamp: str
    data: AboutPurchase


class SubscriptionRecoveredEvent(TypedDict):
    type: Literal["subscription.recovered"]
    version: Literal[1]
    timestamp: str
    data: AboutPurchase


class UserCreatedEvent(TypedDict):
    type: Literal["user.created"]
    version: Literal[1]
    timestamp: str
    data: AboutUser


class UserMergedEvent(TypedDict):
    type: Literal["user.merged"]
    version: Literal[1]
    timestamp: str
    data: AboutMerge


class UserErasedEvent(TypedDict):
    type: Literal["user.erased"]
    version: Literal[1]
    timestamp: str
    data: AboutUser


WebhookEvent: TypeAlias = (
    AccessGrantedEvent
    | AccessEndingEvent
    | AccessEndedEvent
    | PurchaseCompletedEvent
    | PurchaseRefundedEvent
    | SubscriptionStartedEvent
    | SubscriptionCancelledEvent
    | SubscriptionResumedEvent
    | SubscriptionPastDueEvent
    | SubscriptionRecoveredEvent
    | UserCreatedEvent
    | UserMergedEvent
    | UserErasedEvent
    | TestEvent
)
