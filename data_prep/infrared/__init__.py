"""Magnitudes of AllWISE sources: from a table, a HATS catalogue or a service, matched on the sky."""
