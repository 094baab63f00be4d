"""Settings of an app: names that CometChat documents, with its defaults (rest-api.md B3).

They are kept and answered. Each says how a part of the chat behaves; where that part is not served, the setting
waits for it and changes nothing.
"""

import re
from collections.abc import Mapping

from chathooks.apps.store import AppsTransaction
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store

DEFAULTS: Mapping[str, bool] = {
    "core.conversations.updateOnGroupActions": True,
    "core.conversations.updateOnReplies": True,
    "core.conversations.updateOnMessageActions": False,
    "core.conversations.updateOnCallActivity": False,
    "core.threads.updateOnMessageActions": False,
    "core.notifications.push.enabled": False,
}
"""Settings that have a value before they are set."""
WITHOUT_DEFAULT = (
    "core.conversations.updateOnCustomMessage",
    "core.notifications.push.accessible",
)
"""Settings that are absent until they are set."""
SETTINGS_SET_MAX = 100
"""Settings that one app may have set."""

_ADVANCED = re.compile(r"core\.notifications\.push\.advanced(\.[A-Za-z0-9_]{1,40}){1,3}", re.ASCII)


def is_known(name: str) -> bool:
    """Whether there is such a setting."""
    return name in DEFAULTS or name in WITHOUT_DEFAULT or _ADVANCED.fullmatch(name) is not None


def unknown_setting(name: str) -> ChathooksError:
    """ERR_BAD_REQUEST, naming the setting."""
    return ChathooksError(
        "ERR_BAD_REQUEST",
        f"There is no setting {name[:100]!r}; GET the settings to see those there are.",
        {"settings": f"{name[:100]} is unknown"},
    )


def _judge(name: str, value: object) -> ChathooksError | None:
    if not is_known(name):
        return unknown_setting(name)
    if not isinstance(value, bool):
        return ChathooksError(
            "ERR_BAD_REQUEST",
            f"{name} takes true or false.",
            {"settings": f"{name}: is no boolean"},
        )
    return None


class AppSettings:
    """The settings of all apps."""

    def __init__(self, store: Store[AppsTransaction]) -> None:
        self._store = store

    async def all(self, app: int) -> dict[str, bool]:
        """Every setting that has a value, set or by default."""

        async def query(tx: AppsTransaction) -> dict[str, bool]:
            return await tx.settings_of(app)

        return {**DEFAULTS, **await self._store.read(query)}

    async def put(
        self, app: int, values: Mapping[str, object]
    ) -> Mapping[str, ChathooksError | None]:
        """Set settings; answers per name what is wrong with it, or None. Wrong ones change nothing.

        Raises ERR_PLAN_QUOTA_RESTRICTION where more than SETTINGS_SET_MAX would be set; nothing was set then.
        """
        answers = {name: _judge(name, value) for name, value in values.items()}
        known = {name: value is True for name, value in values.items() if answers[name] is None}

        async def put(tx: AppsTransaction) -> None:
            if len({*await tx.settings_of(app), *known}) > SETTINGS_SET_MAX:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"An app may have {SETTINGS_SET_MAX} settings set; remove some first.",
                )
            await tx.put_settings(app, known)

        if known:
            await self._store.write(put)
        return answers

    async def remove(
        self, app: int, names: list[str] | None
    ) -> Mapping[str, ChathooksError | None]:
        """Take settings back to their defaults, all of them where `names` is None; answers per name."""

        async def remove(tx: AppsTransaction) -> Mapping[str, ChathooksError | None]:
            wanted = list(await tx.settings_of(app)) if names is None else names
            await tx.delete_settings(app, [name for name in wanted if is_known(name)])
            return {name: None if is_known(name) else unknown_setting(name) for name in wanted}

        return await self._store.write(remove)
