"""From the feed to the endpoints: fan-out, lanes, attempts, log."""
