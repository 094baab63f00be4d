"""HTTP routes of the REST API, the error table, OpenAPI."""
