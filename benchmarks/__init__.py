"""Measures Chathooks against bare loops on the same machine: `python -m benchmarks`."""
