"""Models that ship, and published weights of others."""
