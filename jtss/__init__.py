"""jtss: classify astronomical objects from their first few alerts."""

__version__ = "0.1.0"
