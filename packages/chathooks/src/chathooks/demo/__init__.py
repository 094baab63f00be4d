"""`chathooks demo`: a server, an HTTPS endpoint and a conversation, in one process and in the open.

Everything it does to the server goes through the public REST API; everything it shows comes from there.
"""
