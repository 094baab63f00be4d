from collections.abc import ItemsView, Mapping
from typing import Any

class HttpHeaders:
    def items(self) -> ItemsView[str, str]: ...

class HttpRequest:
    method: str | None
    headers: HttpHeaders
    META: dict[str, Any]
    def read(self, size: int = ...) -> bytes: ...

class HttpResponse:
    def __init__(
        self,
        content: bytes = ...,
        content_type: str | None = ...,
        status: int | None = ...,
        headers: Mapping[str, str] | None = ...,
    ) -> None: ...
