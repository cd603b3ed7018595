"""Streams of alert packets in, an answer to each of them out, none lost."""
