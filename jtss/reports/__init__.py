"""What a model is worth and what it says of alerts: scores, reports, tables and pictures."""
