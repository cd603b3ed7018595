"""Measurements beyond the report of one run; `python -m jtss.experiments` lists them."""
