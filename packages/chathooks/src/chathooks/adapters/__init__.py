"""One package per driver; nothing outside this folder knows a dialect."""
