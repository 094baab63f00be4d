"""A store-and-forward relay: from a server's feed of events to an endpoint on this machine."""
