"""An endpoint that fails in any named way, to try a sender with."""
