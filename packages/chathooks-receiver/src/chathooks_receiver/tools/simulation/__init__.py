"""Made-up chats that hold together: an edit follows its message, a read receipt its delivery, an answer its ring."""
