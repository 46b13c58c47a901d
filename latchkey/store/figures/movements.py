"""The SQL that finds every movement in what the mirror holds: who joined and left, what recurring
revenue came and went, which trials converted, what was sold once."""

from latchkey.rules.figures import PER_YEAR, Movement
from latchkey.rules.vocabulary import MoneyState

_A_YEAR = "case p.interval " + " ".join(f"when '{k}' then {n}" for k, n in PER_YEAR.items())

ALL_CUSTOMERS = ALL_USERS = ALL_ORDERS = "true"

MOST = 10**15
"""What an item or a line counts at most, in the minor unit: what Stripe reports by mistake must not
make the sums too large for a column."""

_RETURNED = ", ".join(
    f"'{state}'" for state in (MoneyState.REFUNDED, MoneyState.CREDITED, MoneyState.DISPUTE_LOST)
)

SCOPES = """
scopes as (
    select distinct stripe_product, product_id from counting_links
     where stripe_product is not null)
"""
"""Which products of the site each Stripe product counts for."""

_COLUMNS = """
r.subscription_id, r.item_id, r.stripe_product, r.price_id, r.quantity, r.discount, r.trial,
r.since, r.until, s.customer_id, s.account_id, s.livemode
"""
_SPANS = f"""
spans as not materialized (
    select {_COLUMNS} from recurring_spans r join subscriptions s on s.id = r.subscription_id
     where {{customers}}
    union all
    select {_COLUMNS}
      from past_spans r
     cross join lateral (
           select r.subscription_id as id, r.customer_id, r.account_id, r.livemode) s
     where {{customers}} and not exists (select from subscriptions k where k.id = s.id))
"""
"""What is recorded of known subscriptions, and of those that had ended before they were known."""

_VALUES = f"""
values_of as (
    select r.subscription_id, r.item_id, r.stripe_product, r.trial, r.since, r.until,
           r.customer_id, coalesce(p.currency, '') as currency,
           least({MOST}, coalesce(round(
               greatest(0, p.unit_amount::numeric * r.quantity - coalesce(r.discount, 0))
               * {_A_YEAR} end
               / (12::numeric * coalesce(nullif(p.interval_count, 0), 1))), 0)) as monthly
      from spans r
      join stripe_connection k on k.account_id = r.account_id and k.livemode = r.livemode
      left join prices p on p.id = r.price_id)
"""
EVERY_PRODUCT = """
select '' as product_id, v.* from values_of v
union all
select c.product_id, v.* from values_of v join scopes c using (stripe_product)
"""
ONE_PRODUCT = """
select $1 as product_id, v.* from values_of v
 where $1 = '' or v.stripe_product in (select stripe_product from scopes where product_id = $1)
"""


def values(*, customers: str = ALL_CUSTOMERS, scope: str = EVERY_PRODUCT) -> str:
    """The tables of a `with` clause, of which `scoped` is the last: what each item brought in each
    month and when, for the whole site and for each product. With `ONE_PRODUCT`, only for the one
    that is the query's first value. `customers` is a condition on a subscription `s`, whose id and
    customer are there, or on a stretch `r` of it."""
    spans = _SPANS.format(customers=customers)
    return f"{SCOPES}, {spans}, {_VALUES}, scoped as materialized ({scope})"


_REVENUE = f"""
levels as (
    select product_id, customer_id, currency, at, sum(delta) as delta
      from (select product_id, customer_id, currency, since as at, monthly as delta
              from scoped where not trial and monthly > 0
            union all
            select product_id, customer_id, currency, until, -monthly
              from scoped where not trial and monthly > 0 and until is not null) e
     group by product_id, customer_id, currency, at having sum(delta) <> 0),
revenue as (
    select product_id, customer_id, currency, at, delta, sum(delta) over w as after,
           row_number() over w as n
      from levels window w as (partition by product_id, customer_id, currency order by at)),
revenue_moves as (
    select product_id, customer_id, currency, at, delta as amount,
           case when after = delta and n = 1 then '{Movement.NEW}'
                when after = delta then '{Movement.REACTIVATED}'
                when after = 0 then '{Movement.CHURNED}'
                when delta > 0 then '{Movement.EXPANDED}'
                else '{Movement.CONTRACTED}' end as kind,
           case when after = delta then 1 when after = 0 then -1 else 0 end as people
      from revenue)
"""
"""How each customer's recurring revenue changed."""

_TRIALS = f"""
trial_spans as (
    select product_id, customer_id, subscription_id, trial, since, until,
           min(since) filter (where trial) over (partition by product_id, subscription_id) as began
      from scoped),
trials as (
    select product_id, customer_id, subscription_id, began,
           case when bool_and(until is not null) filter (where trial)
                then max(until) filter (where trial) end as ended,
           min(since) filter (where not trial and since >= began) as paid
      from trial_spans where began is not null
     group by product_id, customer_id, subscription_id, began),
trial_moves as (
    select product_id, customer_id, subscription_id, m.kind, m.at, m.people
      from trials t
     cross join lateral (values
           ('{Movement.TRIAL_STARTED}', t.began, 1), ('{Movement.TRIAL_CONVERTED}', t.paid, 1),
           ('{Movement.TRIAL_LOST}', case when t.paid is null then t.ended end, -1))
           m (kind, at, people)
     where m.at is not null)
"""
"""Which trials began, were paid for afterwards, or ended otherwise. Each subscription has one."""

HELD = """
held as (
    select g.product_id, g.user_id, coalesce(g.bought_at, g.since) as since,
           case when least(g.ended_at, g.until) <= now()
                then greatest(coalesce(g.bought_at, g.since), least(g.ended_at, g.until))
                end as ended
      from grants g where g.since <= now() and {users})
"""
"""When each grant began and ended: what an import found counts from when it was bought."""

_MEMBERS = f"""
{HELD},
holding as (
    select product_id, user_id, at, sum(n) as n
      from (select product_id, user_id, since as at, 1 as n from held
            union all select product_id, user_id, ended, -1 from held where ended is not null
            union all select '', user_id, since, 1 from held
            union all select '', user_id, ended, -1 from held where ended is not null) e
     group by product_id, user_id, at having sum(n) <> 0),
member_levels as (
    select product_id, user_id, at, n,
           sum(n) over (partition by product_id, user_id order by at) as after from holding),
member_moves as (
    select product_id, user_id, at,
           case when after = 0 then '{Movement.LEFT}' else '{Movement.JOINED}' end as kind
      from member_levels where after = 0 or after = n)
"""
"""When each user got and lost access, to any product and to each one."""

_SALES = f"""
sold as (
    select l.order_id, l.stripe_product, o.customer_id, o.user_id, o.paid_at,
           coalesce(o.currency, '') as currency,
           least({MOST}, l.amount - round(l.amount * case
               when o.money_state in ({_RETURNED}) or o.amount <= 0 then 1
               else least(1, greatest(0, o.amount_refunded::numeric + o.credited_after)
                             / o.amount) end)) as amount
      from order_lines l
      join orders o on o.id = l.order_id
      join stripe_connection k on k.account_id = o.account_id and k.livemode = o.livemode
     where o.state = 'paid' and o.paid_at is not null and l.amount > 0 and {{orders}}),
sale_moves as (
    select product_id, order_id, customer_id, user_id, currency, paid_at as at,
           sum(amount) as amount
      from (select '' as product_id, s.* from sold s
            union all
            select c.product_id, s.* from sold s join scopes c using (stripe_product)) s
     group by product_id, order_id, customer_id, user_id, currency, paid_at)
"""
"""What was bought once, less what was given back of it."""


def movements(
    *,
    customers: str = ALL_CUSTOMERS,
    users: str = ALL_USERS,
    orders: str = ALL_ORDERS,
    scope: str = EVERY_PRODUCT,
) -> str:
    """The tables of a `with` clause, of which `moves` is the last: `product_id` ('' for the whole
    site), `kind`, `at`, `id` (of what moved), `user_id`, `customer_id`, `currency`, `people` (1,
    -1 or 0) and `amount`.

    The conditions say whose are needed: on a subscription `s`, a grant `g`, an order `o`.
    """
    members, sales = _MEMBERS.format(users=users), _SALES.format(orders=orders)
    return f"""
    {values(customers=customers, scope=scope)}, {_REVENUE}, {_TRIALS}, {members}, {sales},
    moves as (
        select product_id, kind, at, customer_id as id, null::bigint as user_id, customer_id,
               currency, people, amount from revenue_moves
        union all
        select product_id, kind, at, subscription_id, null, customer_id, '', people, 0
          from trial_moves
        union all
        select product_id, kind, at, user_id::text, user_id, null, '',
               case kind when '{Movement.JOINED}' then 1 else -1 end, 0 from member_moves
        union all
        select product_id, '{Movement.SOLD}', at, order_id, user_id, customer_id, currency, 1,
               amount from sale_moves)
    """
