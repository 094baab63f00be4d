"""A cluster for tests: PostgreSQL, NATS and nodes as processes of their own, load, and the account at the end."""
