"""What the commands do, without the command line: send, simulate, relay, certify, fail. Part of the extra `tools`."""
