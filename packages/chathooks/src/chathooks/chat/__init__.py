"""Chat: users, groups, members, messages; every change appends its events in the same transaction."""
