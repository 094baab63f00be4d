"""Users, groups, members, messages: what changes chat state and fires events."""
