"""A stand-in for Stripe: its own process, for rehearsals and tests. Nothing imports it."""
