"""Real alerts: from a list of objects, or of nights, to packets on disk, from the services that serve them."""
