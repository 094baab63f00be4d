"""Limits of chat objects. Source: rest-api.md A8, delivery contract §7 "Size limits"."""

ID_CHARS_MAX = 100
"""uid, guid, role."""
CONVERSATION_ID_CHARS_MAX = 2 * ID_CHARS_MAX + len("_user_")
NAME_CHARS_MAX = 100
URL_CHARS_MAX = 3000
"""avatar, link, icon, attachments."""
STATUS_MESSAGE_CHARS_MAX = 255
DESCRIPTION_CHARS_MAX = 255
PASSWORD_CHARS_MAX = 100
TAGS_MAX = 25
TAG_CHARS_MAX = 100
METADATA_BYTES_MAX = 5 * 1024

GROUP_MEMBERS_MAX = 100_000
GROUPS_PER_USER_MAX = 2_000
UIDS_PER_CALL_MAX = 25
"""Over all arrays of one call that adds members."""

AUTH_TOKENS_PER_USER_MAX = 100
PLATFORM_CHARS_MAX = 100
USER_AGENT_CHARS_MAX = 1_000
USERS_PER_CALL_MAX = 100
"""Whom one call deactivates or activates."""

MESSAGE_CHARS_MAX = 65_536
"""Of a message's JSON without its entities."""
MESSAGE_DATA_BYTES_MAX = 10 * 1024
"""Of a message's `data` without text and metadata."""
MESSAGE_METADATA_BYTES_MAX = METADATA_BYTES_MAX
ATTACHMENTS_MAX = 10
MUID_CHARS_MAX = 100
CATEGORY_CHARS_MAX = 100
MENTIONS_MAX = 25
"""Users whom one message may mention; keeps the event within what the outbox takes."""
MESSAGES_PER_PAGE_DEFAULT = 10
MESSAGES_PER_PAGE_MAX = 1_000
MESSAGES_SKIPPED_MAX = 10_000
"""How far `page` goes into a list of messages; from there on its ids lead further."""
MESSAGES_SCANNED_MAX = 5_000
"""How many messages a narrowed list looks at before it answers what it found so far."""
THREADS_PER_PAGE_MAX = 1_000
THREADS_FOLLOWED_MAX = 5_000
"""How many of a user's threads, those with the newest parents, the list of threads looks at."""
RECEIVERS_PER_MESSAGE_MAX = 25
MESSAGE_ID_MAX = 2**63 - 1

REACTION_CHARS_MAX = 100
REACTIONS_PER_MESSAGE_MAX = 100
"""Different reactions that one message may have; keeps every view of it bounded."""
REACTIONS_PER_PAGE_DEFAULT = 100
REACTIONS_PER_PAGE_MAX = 1_000

FILTERED_TOTAL_MAX = 10_000
"""A list that is narrowed by filters ends here, so that no request reads a whole table."""
INDEXED_TOTAL_MAX = 100_000
"""The same for a list that an index holds in order (one role, one type): entries are skipped and counted there."""
MEMBERS_REMOVED_PER_BATCH = 1_000
"""Rows of a deleted group that one transaction takes away."""
