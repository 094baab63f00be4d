"""An endpoint for Flask: a view function.

app.add_url_rule("/webhook", view_func=view(receiver), methods=["POST"])
"""

from collections.abc import Callable

import flask

from chathooks_receiver.adapters.wsgi import Handler, handle_environ


def view(receiver: Handler, name: str = "chathooks_webhook") -> Callable[[], flask.Response]:
    """The view; it reads the raw body itself. `name` is the endpoint's name within the app."""

    def webhook() -> flask.Response:
        response = handle_environ(receiver, flask.request.environ)
        return flask.Response(response.body, status=response.status, headers=dict(response.headers))

    webhook.__name__ = name
    return webhook
