"""Chathooks: chat REST API, transactional outbox and webhook delivery engine."""

__version__ = "0.1.0"
