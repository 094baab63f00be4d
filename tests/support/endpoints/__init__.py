"""Endpoints that answer as badly as endpoints do."""
