"""`/docs`: the OpenAPI document as one self-contained page, without scripts or foreign assets."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from typing import Any

import msgspec

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #dfe4ea; --back: #fbfcfd; --card: #fff;
  --get: #1a7f4b; --post: #1f5fbf; --put: #9a6700; --delete: #b42318; --accent: #3b5bdb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #2b3440; --back: #12161c;
  --card: #191f27; --get: #52c98a; --post: #79a9ff; --put: #e0b04a; --delete: #ff8a80; --accent: #9db2ff; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem } h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem }
p { margin: .25rem 0 } a { color: var(--accent) }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1rem; margin: 1rem 0; color: var(--soft) }
details { margin: .4rem 0; border: 1px solid var(--line); border-radius: .5rem; background: var(--card) }
summary { display: flex; flex-wrap: wrap; gap: .2rem .75rem; align-items: baseline; padding: .55rem .8rem; cursor: pointer }
summary:focus-visible { outline: 2px solid var(--accent); border-radius: .5rem }
summary span { color: var(--soft) }
.verb { min-width: 4.2rem; font: 600 .8rem/1 ui-monospace, monospace }
.get { color: var(--get) } .post { color: var(--post) } .put, .patch { color: var(--put) } .delete { color: var(--delete) }
code, pre { font: .86rem/1.5 ui-monospace, monospace } summary code { overflow-wrap: anywhere }
td:first-child { white-space: nowrap } td { overflow-wrap: anywhere }
.body { padding: 0 .9rem .9rem; border-top: 1px solid var(--line) } h3 { margin: .9rem 0 .3rem; font-size: .9rem }
table { width: 100%; border-collapse: collapse; font-size: .92rem }
td, th { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
pre { max-height: 28rem; margin: .3rem 0; padding: .7rem; overflow: auto; border: 1px solid var(--line); border-radius: .4rem }
"""


@dataclass(frozen=True, slots=True)
class DocsPage:
    """The page, its Content-Security-Policy, and the document it shows."""

    html: bytes
    policy: str
    openapi: bytes


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    text = str(schema.get("type", "any"))
    bounds = [
        f"{word} {msgspec.json.encode(schema[key]).decode()}"
        for key, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("maxLength", "at most"),
            ("default", "default"),
        )
        if schema.get(key) not in (None, "")
    ]
    return f"{text} ({', '.join(bounds)})" if bounds else text


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(note)}</td></tr>"
        for name, kind, note in rows
    )
    return f"<table><tbody>{cells}</tbody></table>"


def _properties(schema: dict[str, Any], components: dict[str, Any], note: str) -> str:
    if "$ref" in schema:
        schema = components[str(schema["$ref"]).rpartition("/")[2]]
    if schema.get("type") == "array":
        return "<p>A list of:</p>" + _properties(schema.get("items", {}), components, note)
    required = schema.get("required", ())
    rows = [
        (name, _type_of(one), note if name in required else "")
        for name, one in schema.get("properties", {}).items()
    ]
    return _table(rows) if rows else f"<p>{escape(_type_of(schema))}</p>"


def _operation(
    method: str, path: str, operation: dict[str, Any], components: dict[str, Any]
) -> str:
    parts = [f"<p>{escape(operation['description'])}</p>"]
    parameters = [
        (
            one["name"],
            f"{one['in']}: {_type_of(one['schema'])}",
            "required" if one["required"] else "",
        )
        for one in operation["parameters"]
    ]
    if parameters:
        parts.append("<h3>Parameters</h3>" + _table(parameters))
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append("<h3>Body</h3>" + _properties(schema, components, "required"))
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    parts.append("<h3>data</h3>" + _properties(answer["properties"]["data"], components, "always"))
    errors = [
        (status, response["description"], "")
        for status, response in operation["responses"].items()
        if status != "200"
    ]
    parts.append("<h3>Errors</h3>" + _table(errors))
    return (
        f'<details><summary><b class="verb {method}">{method.upper()}</b><code>{escape(path)}</code>'
        f"<span>{escape(operation['summary'])}</span></summary>"
        f'<div class="body">{"".join(parts)}</div></details>'
    )


def _event(name: str, webhook: dict[str, Any]) -> str:
    operation = webhook["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    text = msgspec.json.format(msgspec.json.encode(example), indent=2).decode()
    return (
        f'<details><summary><b class="verb post">POST</b><code>{escape(name)}</code>'
        f"<span>{escape(operation['summary'])}</span></summary>"
        f'<div class="body"><pre tabindex="0">{escape(text)}</pre></div></details>'
    )


def _anchor(tag: str) -> str:
    return "tag-" + "".join(char if char.isalnum() else "-" for char in tag.lower())


def docs_page(document: dict[str, Any]) -> DocsPage:
    """The page of an OpenAPI document."""
    components = document["components"]["schemas"]
    tags = [tag["name"] for tag in document["tags"]]
    sections: dict[str, list[str]] = {tag: [] for tag in tags}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sections[operation["tags"][0]].append(_operation(method, path, operation, components))
    for name, webhook in document["webhooks"].items():
        sections[webhook["post"]["tags"][0]].append(_event(name, webhook))
    links = "".join(f'<a href="#{_anchor(tag)}">{escape(tag)}</a>' for tag in tags)
    body = "".join(
        f'<section><h2 id="{_anchor(tag)}">{escape(tag)}</h2>{"".join(parts)}</section>'
        for tag, parts in sections.items()
    )
    info = document["info"]
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(info['title'])} API</h1><p>{escape(info['description'])}</p>"
        f"<p>Version {escape(info['version'])}. Machine-readable: "
        '<a href="/docs/openapi.json">openapi.json</a></p></header>'
        f"<nav>{links}</nav><main>{body}</main></body></html>"
    )
    style_hash = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return DocsPage(html.encode(), policy, msgspec.json.encode(document))
