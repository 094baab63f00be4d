"""The checks of an endpoint, one module each; `catalogue` lists them."""
