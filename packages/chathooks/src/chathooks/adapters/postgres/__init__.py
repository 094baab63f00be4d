"""PostgreSQL: for stores that more than one machine shares, and for teams that run it anyway."""
