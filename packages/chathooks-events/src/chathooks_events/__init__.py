"""The shared contract of Chathooks: what a delivered event looks like."""
