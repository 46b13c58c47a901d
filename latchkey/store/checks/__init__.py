"""Whether everything is right: comparisons with Stripe, invariants, health figures, retention."""
