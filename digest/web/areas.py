"""Which areas the pages have, by the settings."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from digest.config.web_settings import Web
from digest.storage.base import Store
from digest.subscribers.directory import SubscriberDirectory
from digest.web.admin_setup import AdminSetup, admin_area
from digest.web.confirmation_links import ConfirmationLinks
from digest.web.context import SiteContext
from digest.web.frame import Area, Frame
from digest.web.judging import JudgingSite
from digest.web.link_mail import LinkMailArea, LinkMailSite
from digest.web.machine_area import MachineArea
from digest.web.metrics import Metrics
from digest.web.own_data import OwnData
from digest.web.preview_area import PreviewArea
from digest.web.preview_site import Previews
from digest.web.signup import SignupSite
from digest.web.signup_area import SignupArea
from digest.web.site import Site
from digest.web.subscriber_area import SubscriberArea

if TYPE_CHECKING:
    from digest.config.settings import Defaults


def areas_for(
    frame: Frame,
    settings: Web,
    context: SiteContext[Store, Store],
    *,
    directory: SubscriberDirectory,
    previews: Previews,
    metrics: Metrics,
    defaults: "Defaults",
    admin: AdminSetup | None,
    signed_up: Callable[[], None],
) -> list[Area]:
    """Call it in the event loop in which `signed_up` is to be called."""
    site = Site(context)
    previewing = PreviewArea(frame, previews, context.pages, site, context.base_url)
    areas: list[Area] = [
        previewing,
        SubscriberArea(
            frame,
            site,
            ConfirmationLinks(settings, context, directory),
            OwnData(context, directory),
            JudgingSite(context),
            previewing,
        ),
        LinkMailArea(frame, LinkMailSite(settings, context), context.base_url),
        MachineArea(frame, settings, context.store, metrics, context.clock),
    ]
    if admin:
        areas.append(admin_area(frame, admin, context))
    if settings.signup:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            """Called in a thread of the pages."""
            loop.call_soon_threadsafe(signed_up)

        signup = SignupSite(settings, context, defaults=defaults, signed_up=wake)
        areas.append(SignupArea(frame, settings, signup, previews, previewing))
    return areas
