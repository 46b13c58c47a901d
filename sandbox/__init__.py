"""A stand-in for Stripe, for rehearsals and tests. It runs as its own process; nothing imports
it."""
