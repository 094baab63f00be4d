"""Apps and their API keys: who is calling."""
