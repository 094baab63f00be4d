"""The command line: serve, demo, doctor."""
