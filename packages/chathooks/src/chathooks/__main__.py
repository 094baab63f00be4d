"""`python -m chathooks` is the `chathooks` command."""

from chathooks.cli.main import main

if __name__ == "__main__":
    main()
