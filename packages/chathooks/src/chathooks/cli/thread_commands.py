"""Commands for threads and reactions, as data."""

from chathooks.cli.commands import Command
from chathooks.cli.fields import argument
from chathooks.cli.tables import MESSAGES, REACTIONS, THREADS

MESSAGE_ID = argument("id", "Id of the message.", path="id")
_REACTION = argument("reaction", "The reaction, as a rule one emoji.", path="reaction")

THREAD_COMMANDS = (
    Command(
        name="reply",
        summary="Reply in the thread of a message; whoever replies follows the thread.",
        examples=('chathooks threads reply 42 "Count me in" --on-behalf-of bob',),
        method="POST",
        path="/messages/{id}/thread",
        fields=(
            MESSAGE_ID,
            argument(
                "text",
                "The text.",
                body=("data.text",),
                also={"category": "message", "type": "text"},
            ),
        ),
        acts_for=True,
        view=MESSAGES,
    ),
    Command(
        name="show",
        summary="List the replies to a message, oldest first.",
        examples=("chathooks threads show 42", "chathooks threads show 42 --all --json"),
        path="/messages/{id}/thread",
        fields=(MESSAGE_ID,),
        view=MESSAGES,
        paging="messages",
        acts_for=True,
    ),
    Command(
        name="list",
        summary="List the threads that a user follows, latest change first.",
        examples=("chathooks threads list --on-behalf-of bob",),
        path="/threads",
        view=THREADS,
        paging="threads",
        acts_for=True,
    ),
    Command(
        name="follow",
        summary="Follow the thread of a message.",
        examples=("chathooks threads follow 42 --on-behalf-of bob",),
        method="POST",
        path="/messages/{id}/thread/subscription",
        fields=(MESSAGE_ID,),
        acts_for=True,
    ),
    Command(
        name="leave",
        summary="Follow the thread of a message no more.",
        examples=("chathooks threads leave 42 --on-behalf-of bob",),
        method="DELETE",
        path="/messages/{id}/thread/subscription",
        fields=(MESSAGE_ID,),
        acts_for=True,
    ),
)

REACTION_COMMANDS = (
    Command(
        name="react",
        summary="React to a message.",
        examples=("chathooks messages react 42 👍 --on-behalf-of bob",),
        method="POST",
        path="/messages/{id}/reactions/{reaction}",
        fields=(MESSAGE_ID, _REACTION),
        acts_for=True,
        view=MESSAGES,
    ),
    Command(
        name="unreact",
        summary="Take a reaction back.",
        examples=("chathooks messages unreact 42 👍 --on-behalf-of bob",),
        method="DELETE",
        path="/messages/{id}/reactions/{reaction}",
        fields=(MESSAGE_ID, _REACTION),
        acts_for=True,
        view=MESSAGES,
    ),
    Command(
        name="reactions",
        summary="List the reactions to a message, oldest first.",
        examples=("chathooks messages reactions 42",),
        path="/messages/{id}/reactions",
        fields=(MESSAGE_ID,),
        view=REACTIONS,
        paging="messages",
        acts_for=True,
    ),
)
