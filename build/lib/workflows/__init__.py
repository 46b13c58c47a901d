"""When things happen: one module per workflow, deterministic."""
