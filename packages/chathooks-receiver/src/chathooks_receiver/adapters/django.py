"""An endpoint for Django: a view, exempt from CSRF since senders have no cookie.

urlpatterns = [path("webhook", view(receiver))]
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from chathooks_receiver.adapters.wsgi import Handler, read_body
from chathooks_receiver.intake import refused, too_large


def view(receiver: Handler) -> Callable[[HttpRequest], HttpResponse]:
    """The view; it reads the raw body itself, whatever DATA_UPLOAD_MAX_MEMORY_SIZE says."""

    @csrf_exempt
    def webhook(request: HttpRequest) -> HttpResponse:
        # Not request.body: it has a limit of its own, and knows no bodies without a Content-Length.
        bytes_max = receiver.body_bytes_max
        if "wsgi.input" in request.META:
            body = read_body(request.META, bytes_max)
        else:  # under ASGI the body was received before the view is called
            whole = request.read(bytes_max + 1)
            body = whole if len(whole) <= bytes_max else None
        if body is None:
            response = refused(too_large(receiver.body_bytes_max))
        else:
            response = receiver.handle(request.method or "", request.headers.items(), body)
        return HttpResponse(response.body, status=response.status, headers=dict(response.headers))

    return webhook
