"""Apps and their settings, for management credentials (rest-api.md B3)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from chathooks.api.paging import PageMeta, PageNumber, PageQuery, PerPage, page_meta
from chathooks.api.problems import ErrorBody
from chathooks.api.routing import Answer, Call, Route
from chathooks.apps.bootstrap import API_KEY_NAME, AUTH_KEY_NAME
from chathooks.apps.preferences import AppSettings
from chathooks.apps.records import App, Scope
from chathooks.apps.registry import APP_NAME_CHARS_MAX, NEW_APP_ID_CHARS_MAX, Apps
from chathooks.delivery.app_deletion import AppDeletion
from chathooks.kernel.errors import ChathooksError

TAG = "Apps"
APPS_PER_PAGE = 25
SETTINGS_PER_CALL_MAX = 100
SETTING_NAME_CHARS_MAX = 200

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType

_REGION_NAMES: Mapping[str, str] = {"us": "USA", "eu": "Europe", "in": "India"}
_ADDED = "Added setting(s) successfully."
_REMOVED = "Removed setting(s) successfully."

SettingName = Annotated[str, msgspec.Meta(min_length=1, max_length=SETTING_NAME_CHARS_MAX)]


class CreateApp(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A new app."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=APP_NAME_CHARS_MAX)]
    region: Literal["us", "eu", "in"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=NEW_APP_ID_CHARS_MAX)] | Unset = UNSET
    """Made where it is absent."""
    version: Literal["3", 3] = "3"
    skip_sample_data: bool = True
    """Sample data is never made."""


class AppQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of apps."""

    per_page: PerPage = APPS_PER_PAGE
    page: PageNumber = 1


class AppRegion(msgspec.Struct, frozen=True):
    """Where an app says that it is."""

    id: str
    name: str


class AppKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key that an app begins with."""

    api_key: str
    name: str
    scope: str
    created_by: str = "app_system"


class AppAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app; `apiKeys` only in the answer to its creation, where its keys are shown once."""

    id: str
    name: str
    region: str
    state: Literal["active"] = "active"
    version: str = "3"
    created_at: int
    app_region: AppRegion
    api_keys: dict[str, AppKey] | Unset = UNSET


class AppDeleted(msgspec.Struct, frozen=True, rename="camel"):
    """An app that exists no more; `scheduledToDeleteAt` (unix seconds): its data begins to go."""

    success: bool
    scheduled_to_delete_at: int


class PutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings by name."""

    settings: Annotated[
        dict[SettingName, Any], msgspec.Meta(min_length=1, max_length=SETTINGS_PER_CALL_MAX)
    ]


class RemoveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of settings; all without a body."""

    settings: Annotated[
        list[SettingName], msgspec.Meta(min_length=1, max_length=SETTINGS_PER_CALL_MAX)
    ]


class SettingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one setting."""

    success: bool
    message: str | Unset = UNSET
    error: ErrorBody | Unset = UNSET


def _told(app: App) -> AppAnswer:
    return AppAnswer(
        id=app.id,
        name=app.name,
        region=app.region,
        created_at=app.created_at,
        app_region=AppRegion(app.region, _REGION_NAMES.get(app.region, app.region)),
    )


def _results(
    answers: Mapping[str, ChathooksError | None], message: str
) -> dict[str, SettingResult]:
    return {
        name: SettingResult(success=True, message=message)
        if error is None
        else SettingResult(
            success=False, error=ErrorBody(error.code, error.message, dict(error.details))
        )
        for name, error in answers.items()
    }


class AppRoutes:
    """Handlers of `/apps`."""

    def __init__(self, apps: Apps, deletion: AppDeletion, settings: AppSettings) -> None:
        self._apps = apps
        self._deletion = deletion
        self._settings = settings

    async def create(self, call: Call) -> Answer:
        """Make an app; the answer alone shows its keys."""
        body: CreateApp = call.body
        made = await self._apps.create(
            body.name, body.region, None if isinstance(body.id, Unset) else body.id
        )
        keys = (
            AppKey(api_key=made.api_key, name=API_KEY_NAME, scope=str(Scope.FULL_ACCESS)),
            AppKey(api_key=made.auth_key, name=AUTH_KEY_NAME, scope=str(Scope.AUTH_ONLY)),
        )
        answer = msgspec.structs.replace(
            _told(made.app), api_keys={key.api_key: key for key in keys}
        )
        return Answer(answer)

    async def page(self, call: Call) -> Answer:
        """Apps in the order they were made."""
        query: AppQuery = call.query
        found, total = await self._apps.page(query.offset, query.per_page)
        last = found[-1].created_at if found else None
        meta = page_meta(query, total=total, count=len(found), updated_at=last)
        return Answer([_told(app) for app in found], meta)

    async def get(self, call: Call) -> Answer:
        """One app."""
        return Answer(_told(call.app))

    async def delete(self, call: Call) -> Answer:
        """Delete an app: its keys and webhooks at once, its data soon after, in batches."""
        return Answer(AppDeleted(True, await self._deletion.delete(call.app)))

    async def put_settings(self, call: Call) -> Answer:
        """Set settings; answers per name."""
        answers = await self._settings.put(call.app.key, call.body.settings)
        return Answer(_results(answers, _ADDED))

    async def settings(self, call: Call) -> Answer:
        """Every setting that has a value, set or by default."""
        return Answer(await self._settings.all(call.app.key))

    async def remove_settings(self, call: Call) -> Answer:
        """Take settings back to their defaults; answers per name."""
        names = None if call.body is None else call.body.settings
        answers = await self._settings.remove(call.app.key, names)
        return Answer(_results(answers, _REMOVED))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [
            Route(
                method="POST",
                path="/apps",
                handler=self.create,
                summary="Create an app",
                tag=TAG,
                answer=AppAnswer,
                body=CreateApp,
                errors=("ERR_APP_ALREADY_EXISTS", "ERR_PLAN_QUOTA_RESTRICTION"),
                managed_only=True,
            ),
            Route(
                method="GET",
                path="/apps",
                handler=self.page,
                summary="List apps",
                tag=TAG,
                answer=list[AppAnswer],
                meta=PageMeta,
                query=AppQuery,
                managed_only=True,
            ),
            Route(
                method="GET",
                path="/apps/{appId}",
                handler=self.get,
                summary="Get an app",
                tag=TAG,
                answer=AppAnswer,
                managed_only=True,
            ),
            Route(
                method="DELETE",
                path="/apps/{appId}",
                handler=self.delete,
                summary="Delete an app with all that belongs to it",
                tag=TAG,
                answer=AppDeleted,
                errors=("ERR_OPERATION_FAILED",),
                managed_only=True,
            ),
            *self._settings_routes("/apps/{appId}/settings"),
        ]

    def _settings_routes(self, path: str) -> list[Route]:
        return [
            Route(
                method="POST",
                path=path,
                handler=self.put_settings,
                summary="Set settings of an app",
                tag=TAG,
                answer=dict[str, SettingResult],
                body=PutSettings,
                errors=("ERR_PLAN_QUOTA_RESTRICTION",),
                managed_only=True,
            ),
            Route(
                method="GET",
                path=path,
                handler=self.settings,
                summary="Read the settings of an app",
                tag=TAG,
                answer=dict[str, bool],
                managed_only=True,
            ),
            Route(
                method="DELETE",
                path=path,
                handler=self.remove_settings,
                summary="Take settings of an app back to their defaults",
                tag=TAG,
                answer=dict[str, SettingResult],
                body=RemoveSettings,
                body_required=False,
                managed_only=True,
            ),
        ]
