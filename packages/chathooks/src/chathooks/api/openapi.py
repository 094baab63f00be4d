"""The OpenAPI 3.1 document, made from the same declarations that requests are read by."""

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

from chathooks import __version__
from chathooks.api.problems import GENERAL_CODES, STATUS_BY_CODE, ErrorEnvelope
from chathooks.api.routing import Route
from chathooks_events import catalog
from chathooks_events.entities import DeletedMessage, MessageEntity
from chathooks_events.samples import sample_body

JSON_TYPE = "application/json"
_REF_TEMPLATE = "#/components/schemas/{name}"
_HEADERS = {
    "onBehalfOf": "Uid of the user to act as.",
    "appId": "Id of the app; where absent the host or the API key names it.",
    "X-Webhook-Version": "2 or absent: there is one set of webhooks.",
}
_SCHEMES = {
    "apikey": {"type": "apiKey", "in": "header", "name": "apikey", "description": "An API key."},
    "managementKey": {"type": "apiKey", "in": "header", "name": "key"},
    "managementSecret": {"type": "apiKey", "in": "header", "name": "secret"},
}

Schema = dict[str, Any]


def _alternatives(type_: Any) -> tuple[Any, ...]:
    """The structs of `A | B` or `list[A | B]`, which msgspec describes only when they are tagged."""
    inner = get_args(type_)[0] if get_origin(type_) is list else type_
    return (
        get_args(inner)
        if get_origin(inner) is UnionType and type(None) not in get_args(inner)
        else ()
    )


class _Schemas:
    """Schemas of all types of the routes, with shared components."""

    def __init__(self, types: Iterable[Any]) -> None:
        unique: list[Any] = []
        for type_ in types:
            for part in _alternatives(type_) or (type_,):
                if part not in unique:
                    unique.append(part)
        schemas, self.components = msgspec.json.schema_components(
            unique, ref_template=_REF_TEMPLATE
        )
        self._pairs = list(zip(unique, schemas, strict=True))
        if {MessageEntity.__name__, DeletedMessage.__name__} <= self.components.keys():
            # The answer to a deletion holds what is left of the message; msgspec cannot say so in a type.
            entity = self.components[MessageEntity.__name__]["properties"]["entity"]
            deleted = {"$ref": _REF_TEMPLATE.format(name=DeletedMessage.__name__)}
            self.components[MessageEntity.__name__]["properties"]["entity"] = {
                "anyOf": [entity, deleted]
            }

    def of(self, type_: Any) -> Schema:
        alternatives = _alternatives(type_)
        if alternatives:
            schema: Schema = {"anyOf": [self.of(part) for part in alternatives]}
            return {"type": "array", "items": schema} if get_origin(type_) is list else schema
        return next(schema for known, schema in self._pairs if known == type_)

    def struct(self, type_: type[msgspec.Struct]) -> Schema:
        """A struct's own schema, not a reference to it."""
        schema = self.of(type_)
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.components[name] if name else schema


def _types(routes: Sequence[Route]) -> Iterable[Any]:
    yield ErrorEnvelope
    for route in routes:
        yield route.answer
        yield from (one for one in (route.meta, route.body, route.query) if one is not None)


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": segment[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for segment in path.split("/")
        if segment.startswith("{")
    ]


def _query_parameters(query: type[msgspec.Struct] | None, schemas: _Schemas) -> list[Schema]:
    if query is None:
        return []
    struct = schemas.struct(query)
    parameters = []
    for name, schema in struct["properties"].items():
        parameter = {
            "name": name,
            "in": "query",
            "required": name in struct.get("required", ()),
            "schema": schema,
        }
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        if schema.get("type") == "string" and schema.get("default") == "":
            parameter["schema"] = {k: v for k, v in schema.items() if k != "default"}
        parameters.append(parameter)
    return parameters


def _header_parameters(route: Route, *, managed: bool) -> list[Schema]:
    parameters = []
    if route.acts_for != "none":
        parameters.append(
            {
                "name": "onBehalfOf",
                "in": "header",
                "required": route.acts_for == "required",
                "description": _HEADERS["onBehalfOf"],
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
            }
        )
    if not managed:
        parameters.append(
            {
                "name": "appId",
                "in": "header",
                "required": False,
                "description": _HEADERS["appId"],
                "schema": {"type": "string"},
            }
        )
    if route.management:
        parameters.append(
            {
                "name": "X-Webhook-Version",
                "in": "header",
                "required": False,
                "description": _HEADERS["X-Webhook-Version"],
                "schema": {"type": "string", "const": "2"},
            }
        )
    return parameters


def _answer_schema(route: Route, schemas: _Schemas) -> Schema:
    properties = {"data": schemas.of(route.answer)}
    if route.meta is not None:
        properties["meta"] = schemas.of(route.meta)
    return {"type": "object", "properties": properties, "required": list(properties)}


def _error_responses(route: Route, *, managed: bool) -> dict[str, Schema]:
    codes = [*GENERAL_CODES, *route.errors]
    if managed:
        codes.append("AUTH_ERR_EMPTY_AUTH_HEADER")
    if route.body is not None:
        codes += ["ERR_BODY_TOO_LARGE", "ERR_UNSUPPORTED_MEDIA_TYPE", "ERR_REQUEST_TIMEOUT"]
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(STATUS_BY_CODE[code], []).append(code)
    by_status.setdefault(404, []).append("ERR_API_NOT_FOUND")
    return {
        str(status): {
            "description": ", ".join(names),
            "content": {
                JSON_TYPE: {"schema": {"$ref": _REF_TEMPLATE.format(name="ErrorEnvelope")}}
            },
        }
        for status, names in sorted(by_status.items())
    }


def _operation(route: Route, path: str, schemas: _Schemas, *, managed: bool) -> Schema:
    words = [part.strip("{}") for part in path.split("/") if part]
    operation: Schema = {
        "operationId": "_".join([route.method.lower(), *words]),
        "summary": route.summary,
        "description": (route.handler.__doc__ or route.summary).strip(),
        "tags": [route.tag],
        "security": [{"managementKey": [], "managementSecret": []} if managed else {"apikey": []}],
        "parameters": [
            *_path_parameters(path),
            *_query_parameters(route.query, schemas),
            *_header_parameters(route, managed=managed),
        ],
        "responses": {
            "200": {
                "description": "Done.",
                "content": {JSON_TYPE: {"schema": _answer_schema(route, schemas)}},
            },
            **_error_responses(route, managed=managed),
        },
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {JSON_TYPE: {"schema": schemas.of(route.body)}},
        }
    return operation


def _delivered_body(name: str) -> Schema:
    """The request that a webhook gets for a trigger."""
    return {
        "post": {
            "operationId": f"webhook_{name}",
            "summary": catalog.TRIGGERS[name].description,
            "tags": ["Webhook bodies"],
            "requestBody": {
                "required": True,
                "content": {
                    JSON_TYPE: {
                        "schema": catalog.schema(name),
                        "example": msgspec.json.decode(sample_body(name)),
                    }
                },
            },
            "responses": {
                "200": {"description": "Acknowledged, when the headers arrive within 2 s."},
                "default": {"description": "A failed attempt."},
            },
        }
    }


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these routes and of every delivered body."""
    schemas = _Schemas(_types(routes))
    paths: dict[str, Any] = {}
    for route in routes:
        for path, managed in route.patterns():
            operations = paths.setdefault(path, {})
            operations[route.method.lower()] = _operation(route, path, schemas, managed=managed)
    tags = list(dict.fromkeys([*(route.tag for route in routes), "Webhook bodies"]))
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Chathooks",
            "version": __version__,
            "description": "Chat with webhooks: the REST API v3, webhook management, the delivery log.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "webhooks": {name: _delivered_body(name) for name in catalog.TRIGGERS},
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }
