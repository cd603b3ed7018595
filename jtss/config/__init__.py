"""Configurations: their settings, the named ones, and every number that the paper prints."""
