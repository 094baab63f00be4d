"""`python -m chathooks_receiver`, the same as the command `chathooks-receiver`."""

from chathooks_receiver.cli.entry import main

main()
