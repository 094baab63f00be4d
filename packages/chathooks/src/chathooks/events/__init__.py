"""The outbox that chat appends to and the feed that delivery reads."""
