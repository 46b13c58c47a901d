"""What was bought: readings from Stripe become a mirror, grants, activity lines and emails.

`subscriptions` and `orders` are the ways in. Both lock and write their mirror (`*_mirror`), have
`latchkey.rules.access` judge the reading, and hand the verdicts to `settling`, the only place that
writes the grants of purchases. `buyers` finds the users behind them.
"""
