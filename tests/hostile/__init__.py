"""A property test of the whole: random lives under hostile delivery, judged by a naive model."""
