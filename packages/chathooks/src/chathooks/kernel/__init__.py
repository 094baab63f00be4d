"""Small things everything stands on: ids, clock, errors, limits, crypto."""
