"""Who may do what in a group and with a message: the pure rules."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.chat import permissions
from chathooks.kernel.errors import ChathooksError
from chathooks_events.entities import Scope

scopes: st.SearchStrategy[Scope] = st.sampled_from(["admin", "moderator", "participant"])


def code_of(rule: Callable[[], None]) -> str | None:
    """The code that the rule refuses with, None where it lets pass."""
    try:
        rule()
    except ChathooksError as error:
        return error.code
    return None


@given(actor=scopes, target=scopes, owns=st.sampled_from(["actor", "target", "nobody"]))
def test_clearance_is_never_mutual(actor: Scope, target: Scope, owns: str) -> None:
    forth = code_of(
        lambda: permissions.require_clearance_over(
            actor, target, actor_owns=owns == "actor", target_owns=owns == "target"
        )
    )
    back = code_of(
        lambda: permissions.require_clearance_over(
            target, actor, actor_owns=owns == "target", target_owns=owns == "actor"
        )
    )
    assert "ERR_GROUP_NO_SCOPE_CLEARANCE" in (forth, back)


@given(actor=scopes, target=scopes)
def test_nobody_has_clearance_over_the_owner(actor: Scope, target: Scope) -> None:
    assert (
        code_of(
            lambda: permissions.require_clearance_over(
                actor, target, actor_owns=False, target_owns=True
            )
        )
        == "ERR_GROUP_NO_SCOPE_CLEARANCE"
    )


@given(target=scopes)
def test_the_owner_has_clearance_over_every_other_member(target: Scope) -> None:
    permissions.require_clearance_over("admin", target, actor_owns=True, target_owns=False)


@given(actor=scopes, given_scope=scopes)
def test_nobody_gives_a_scope_above_their_own(actor: Scope, given_scope: Scope) -> None:
    refused = code_of(lambda: permissions.require_clearance_to_give(actor, given_scope))
    higher = permissions.RANK[given_scope] > permissions.RANK[actor]
    assert refused == ("ERR_GROUP_NO_SCOPE_CLEARANCE" if higher else None)


@given(scope=scopes)
def test_what_admins_may_do_moderators_may_not_and_participants_neither(scope: Scope) -> None:
    admin = code_of(lambda: permissions.require_admin(scope))
    moderator = code_of(lambda: permissions.require_moderator(scope))
    assert admin == (None if scope == "admin" else "ERR_GROUP_NO_ADMIN_SCOPE")
    assert moderator == ("ERR_GROUP_NO_MODERATOR_SCOPE" if scope == "participant" else None)


def test_a_member_cannot_act_on_themselves() -> None:
    assert code_of(lambda: permissions.require_other("a", "a")) == "ERR_GROUP_NO_SELF_ACTION"
    permissions.require_other("a", "b")


def test_only_the_sender_changes_a_message() -> None:
    assert code_of(lambda: permissions.require_sender("b", "a")) == "ERR_MESSAGE_NOT_A_SENDER"
    permissions.require_sender("a", "a")


@pytest.mark.parametrize(
    ("category", "deleted", "allowed"),
    [
        ("message", False, True),
        ("custom", False, True),
        ("message", True, False),
        ("action", False, False),
        ("call", False, False),
    ],
)
def test_action_call_and_deleted_messages_are_not_changed(
    category: str, deleted: bool, allowed: bool
) -> None:
    code = code_of(lambda: permissions.require_changeable(category, deleted=deleted))
    assert code == (None if allowed else "ERR_MESSAGE_ACTION_NOT_ALLOWED")
