"""Benchmarks: figures side by side in one run, one command each."""
