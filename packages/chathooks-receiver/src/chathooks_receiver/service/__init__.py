"""The ready service: one TOML file, one process, an endpoint with dedupe, a sink, metrics and a request log."""
