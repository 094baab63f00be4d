"""Apps and keys put together: their routes, and the removal of deleted apps."""

from collections.abc import Sequence
from dataclasses import dataclass

from chathooks.api.apikeys_routes import ApiKeyRoutes
from chathooks.api.apps_routes import AppRoutes
from chathooks.api.routing import Route
from chathooks.apps.keys import ApiKeys
from chathooks.apps.preferences import AppSettings
from chathooks.apps.registry import Apps
from chathooks.delivery.app_deletion import AppDeletion, AppDeletionTransaction
from chathooks.delivery.webhooks import Webhooks
from chathooks.kernel.clock import Clock
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The services of apps and keys on one store."""

    apps: Apps
    keys: ApiKeys
    settings: AppSettings
    deletion: AppDeletion

    @classmethod
    def on(
        cls,
        store: Store[AppDeletionTransaction],
        webhooks: Webhooks,
        clock: Clock,
        random: RandomBytes,
    ) -> "Tenancy":
        """The services on `store`."""
        return cls(
            apps=Apps(store, clock, random),
            keys=ApiKeys(store, clock, random),
            settings=AppSettings(store),
            deletion=AppDeletion(store, webhooks, clock),
        )

    def routes(self) -> Sequence[Route]:
        """The calls that they serve."""
        return (
            *ApiKeyRoutes(self.keys).routes(),
            *AppRoutes(self.apps, self.deletion, self.settings).routes(),
        )
