"""SQLite: group commit, SQL beside the code that runs it."""
