"""Postgres: typed functions around queries, and the only place with SQL.

From ground to roof; a folder imports only from those above it in this list:

- `pool`, `migrate`, `site_settings`, `idempotency`, `sealed`, `address_keys`, `audit` and
  `audit_draft` (the audit log): the ground. `migrations/` changes the database, `schema.sql` shows
  it as it is.
- `stripe/`: the connection, the inbox of events, catch-up, wakeups, the mirror of the catalog.
- `feed/`: the activity feed, its one writer, and the email outbox.
- `purchases/`: readings of subscriptions and orders become a mirror, grants and activity lines.
- `products/`: the site's products, their links to Stripe, and how they are sold.
- `access/`: grants and who has them, collections, the library, the access policy, *Why?*.
- `checks/`: comparisons with Stripe, invariants, health figures, retention, the dashboard.
- `users/`: users, sign-in, roles, claims, merging and erasure.
"""
