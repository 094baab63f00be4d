from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

def csrf_exempt(view_func: F) -> F: ...
