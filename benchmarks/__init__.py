"""Speeds, each benchmark a program: `python -m benchmarks.NAME` in the root of a checkout, installed or not."""
