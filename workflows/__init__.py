"""The workflows, which decide when things happen: one module each, deterministic."""
