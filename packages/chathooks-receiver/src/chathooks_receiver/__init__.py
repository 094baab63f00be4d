"""For whoever receives chat webhooks."""
