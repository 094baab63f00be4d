"""The command `chathooks-receiver`. `entry` starts it; everything else needs the extra `tools`."""
