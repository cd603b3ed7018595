"""Packets in by HTTP, answers and a page with pictures out."""
