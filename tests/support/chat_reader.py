"""Reads a stream of events as a receiver with a good memory would, and objects to whatever cannot be true."""

from typing import Any

import msgspec

from chathooks_receiver.tools.simulation.moments import SimulatedEvent


class Untrue(AssertionError):
    """An event that contradicts what came before it."""


def _require(condition: object, event: SimulatedEvent, why: str) -> None:
    if not condition:
        raise Untrue(f"{event.trigger} {event.event_id}: {why}")


class ChatReader:
    """What is known of the chat so far, from its events alone."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.at_s = 0
        self.sequences: dict[str, int] = {}
        self.online: set[str] = set()
        self.blocked: set[tuple[str, str]] = set()
        self.groups: dict[str, set[str]] = {}
        self.banned: set[tuple[str, str]] = set()
        self.owners: dict[str, str] = {}
        self.ended: set[str] = set()
        self.messages: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.delivered: set[tuple[str, str]] = set()
        self.read_by: set[tuple[str, str]] = set()
        self.by_all: set[tuple[str, str]] = set()
        self.reactions: set[str] = set()
        self.pinned: set[str] = set()
        self.held: set[str] = set()
        self.ringing: dict[str, str] = {}
        self.sessions: dict[str, set[str]] = {}
        self.over: dict[str, tuple[int, int]] = {}
        self.highest_message = 0

    def read(self, event: SimulatedEvent) -> None:
        """Take one more event. Raises Untrue."""
        _require(event.event_id not in self.ids, event, "its id was used before")
        self.ids.add(event.event_id)
        _require(event.at_s >= self.at_s, event, "time goes back")
        self.at_s = event.at_s
        if event.stream is not None:
            expected = self.sequences.get(event.stream, 0) + 1
            _require(
                event.sequence == expected, event, f"sequence {event.sequence}, not {expected}"
            )
            self.sequences[event.stream] = expected
        data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event.data))
        family = event.trigger.split("_")[0]
        handler = getattr(self, f"_{event.trigger}", None) or getattr(self, f"_{family}", None)
        if handler is not None:
            handler(event, data)

    # --- people ----------------------------------------------------------------------------------------------

    def _user_connection_status_changed(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        uid, came = data["user"]["uid"], data["status"] == "online"
        _require((uid in self.online) != came, event, "presence did not change")
        _require(data["user"]["status"] == data["status"], event, "user and status differ")
        _require(data["timestamp"] >= data["currentConnection"]["connectedAt"], event, "times")
        (self.online.add if came else self.online.discard)(uid)

    def _user_blocked(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        for uid in data["users"]:
            _require((data["by"]["uid"], uid) not in self.blocked, event, "blocked already")
            self.blocked.add((data["by"]["uid"], uid))

    def _user_unblocked(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        for uid in data["users"]:
            _require((data["by"]["uid"], uid) in self.blocked, event, "was not blocked")
            self.blocked.discard((data["by"]["uid"], uid))

    # --- groups ----------------------------------------------------------------------------------------------

    def _group(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        guid = data["group"]["guid"]
        if event.trigger == "group_created":
            _require(guid not in self.groups, event, "exists already")
            self.groups[guid] = {data["group"]["owner"]}
            self.owners[guid] = data["group"]["owner"]
        _require(guid in self.groups and guid not in self.ended, event, "there is no such group")
        members = self.groups[guid]
        named = set(data.get("members", ()))
        if event.trigger in ("group_member_added", "group_member_joined"):
            _require(not named & members, event, "was a member already")
            _require(not {(guid, uid) for uid in named} & self.banned, event, "is banned")
            members |= named
        elif event.trigger == "group_member_removed":
            _require(not named & members, event, "its kick did not come first")
        elif event.trigger in ("group_member_kicked", "group_member_left", "group_member_banned"):
            _require(named <= members, event, "was no member")
            _require(self.owners[guid] not in named, event, "owns the group")
            members -= named
            if event.trigger == "group_member_banned":
                self.banned |= {(guid, uid) for uid in named}
        elif event.trigger == "group_member_unbanned":
            _require({(guid, uid) for uid in named} <= self.banned, event, "was not banned")
            self.banned -= {(guid, uid) for uid in named}
        elif event.trigger == "group_member_scope_changed":
            _require(named <= members, event, "is no member")
        elif event.trigger == "group_owner_transferred":
            _require(data["group"]["oldOwner"] == self.owners[guid], event, "another owned it")
            _require(data["group"]["owner"] in members, event, "the new owner is no member")
            self.owners[guid] = data["group"]["owner"]
        elif event.trigger == "group_deleted":
            self.ended.add(guid)
        _require(data["group"]["owner"] == self.owners[guid], event, "wrong owner")
        _require(data["group"]["membersCount"] == len(members), event, "wrong count of members")

    # --- messages --------------------------------------------------------------------------------------------

    def _message_sent(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        message = data["message"]
        _require(message["id"] not in self.messages, event, "was sent before")
        _require(message["id"] not in self.held, event, "was blocked and not approved")
        self.messages[message["id"]] = message
        if message["receiverType"] == "group":
            _require(message["receiver"] not in self.ended, event, "the group has ended")
            _require(
                message["sender"] in self.groups[message["receiver"]], event, "sender is no member"
            )

    def _known(self, event: SimulatedEvent, message_id: str) -> dict[str, Any]:
        _require(message_id in self.messages, event, "no such message was sent")
        _require(message_id not in self.deleted, event, "the message was deleted")
        return self.messages[message_id]

    def _message_edited(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        message = data["message"]
        sent = self._known(event, message["id"])
        _require(message["editedAt"] > sent["sentAt"], event, "edited before it was sent")
        _require(message["editedBy"] == sent["sender"], event, "somebody else edited")
        _require(message["data"]["text"] != sent["data"]["text"], event, "nothing was edited")

    def _message_deleted(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._known(event, data["message"]["id"])
        _require("text" not in data["message"].get("data", {}), event, "still has its text")
        self.deleted.add(data["message"]["id"])

    def _user_mentioned(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        sent = self._known(event, data["message"]["id"])
        _require(sent == data["message"], event, "differs from what was sent")
        for uid in data["message"]["data"]["mentions"]:
            _require(f"<@uid:{uid}>" in sent["data"]["text"], event, "is not mentioned")

    def _receipt(self, event: SimulatedEvent, data: dict[str, Any]) -> tuple[str, str]:
        sent = self._known(event, data["body"]["messageId"])
        _require(data["messageSender"] == sent["sender"], event, "another wrote the message")
        _require(data["sender"] != sent["sender"], event, "the sender confirms to themselves")
        return data["body"]["messageId"], data["sender"]

    def _message_delivery_receipt(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        receipt = self._receipt(event, data)
        _require(receipt not in self.delivered, event, "was delivered before")
        self.delivered.add(receipt)

    def _message_read_receipt(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        receipt = self._receipt(event, data)
        _require(receipt in self.delivered, event, "read before it was delivered")
        _require(receipt not in self.read_by, event, "was read before")
        self.read_by.add(receipt)

    def _message_delivered_to_all(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._all(event, data, self.delivered)

    def _message_read_by_all(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._all(event, data, self.read_by)

    def _all(
        self, event: SimulatedEvent, data: dict[str, Any], receipts: set[tuple[str, str]]
    ) -> None:
        message_id, last = self._receipt(event, data)
        _require((message_id, last) in receipts, event, "the last receipt is missing")
        _require((event.trigger, message_id) not in self.by_all, event, "was said before")
        self.by_all.add((event.trigger, message_id))

    def _message_reaction_added(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._known(event, data["reaction"]["messageId"])
        _require(data["reaction"]["id"] not in self.reactions, event, "is there already")
        self.reactions.add(data["reaction"]["id"])

    def _message_reaction_removed(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._known(event, data["reaction"]["messageId"])
        _require(data["reaction"]["id"] in self.reactions, event, "was never added")
        self.reactions.discard(data["reaction"]["id"])

    def _message_pinned(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self._known(event, data["message"]["id"])
        _require(data["message"]["id"] not in self.pinned, event, "is pinned already")
        self.pinned.add(data["message"]["id"])

    def _message_unpinned(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["message"]["id"] in self.pinned, event, "was not pinned")
        _require("pinnedAt" not in data["message"], event, "is still pinned")
        self.pinned.discard(data["message"]["id"])

    def _conversation_pinned(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require("pinnedAt" in data["conversation"], event, "is not pinned")

    # --- moderation ------------------------------------------------------------------------------------------

    def _moderation_engine_approved(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["message"]["id"] not in self.messages, event, "was sent before its approval")

    def _moderation_engine_blocked(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["message"]["id"] not in self.messages, event, "was sent all the same")
        self.held.add(data["message"]["id"])

    def _moderation_manual_approved(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["message"]["id"] in self.held, event, "was not blocked")
        self.held.discard(data["message"]["id"])

    def _moderation_engine_failed(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["resource"]["id"] not in self.messages, event, "was sent before")

    # --- calls and meetings ----------------------------------------------------------------------------------

    def _call_initiated(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        session = data["call"]["data"]["entities"]["on"]["entity"]["sessionid"]
        _require(session not in self.ringing, event, "rang before")
        self.ringing[session] = data["call"]["sender"]

    def _call_ended_otherwise(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        session = data["call"]["data"]["entities"]["on"]["entity"]["sessionid"]
        caller = self.ringing.pop(session, None)
        _require(caller, event, "did not ring")
        acted = event.trigger in ("call_busy", "call_rejected")
        _require((data["call"]["sender"] != caller) == acted, event, "the wrong one acted")

    _call_busy = _call_cancelled = _call_rejected = _call_unanswered = _call_ended_otherwise

    def _call_started(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(self.ringing.pop(data["sessionId"], None), event, "did not ring")
        self.sessions[data["sessionId"]] = set()

    def _meeting_started(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        self.sessions[data["sessionId"]] = set()

    def _joined(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        _require(data["sessionId"] in self.sessions, event, "no such session runs")
        self.sessions[data["sessionId"]].add(data["occupant"]["uid"])

    _call_participant_joined = _meeting_participant_joined = _joined

    def _left(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        present = self.sessions.get(data["sessionId"], set())
        _require(data["occupant"]["uid"] in present, event, "was not there")
        _require(data["occupant"]["left_at"] > data["occupant"]["joined_at"], event, "times")
        present.discard(data["occupant"]["uid"])

    _call_participant_left = _meeting_participant_left = _left

    def _over(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        present = self.sessions.pop(data["sessionId"], None)
        _require(present == set(), event, "people are still there")
        for occupant in data["all_occupants"]:
            _require(
                data["created_at"]
                <= occupant["joined_at"]
                < occupant["left_at"]
                <= data["destroyed_at"],
                event,
                "times of occupants",
            )
        self.over[data["sessionId"]] = (data["created_at"], data["destroyed_at"])

    _call_ended = _meeting_ended = _over

    def _recording_generated(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        begun, ended = self.over.get(data["sessionId"], (0, 0))
        _require(data["startTime"] == str(begun), event, "recorded another time")
        _require(data["duration"] == str(ended - begun), event, "wrong duration")

    def _transcription_generated(self, event: SimulatedEvent, data: dict[str, Any]) -> None:
        times = (data["startTime"], data["endTime"])
        _require(self.over.get(data["sessionId"]) == times, event, "of another time")
