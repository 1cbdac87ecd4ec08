"""Builds the pages of the administrators from their settings."""

from collections.abc import Callable
from dataclasses import dataclass

from digest.config.admin_settings import Admin
from digest.storage.admin_stores import AdminPageStore
from digest.web.admin_access import RefusalLog, access_for
from digest.web.admin_actions import AdminActions
from digest.web.admin_area import AdminArea, ReportWatch
from digest.web.admin_site import AdminSite, Report
from digest.web.context import SiteContext
from digest.web.frame import Frame
from digest.web.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSetup:
    """What the pages need from the service; `report` examines the installation, in any thread.

    `has_invites`: people sign up by invite links.
    """

    settings: Admin
    has_invites: bool
    report: Callable[[], Report]


def admin_area(
    frame: Frame, setup: AdminSetup, context: SiteContext[AdminPageStore, AdminPageStore]
) -> AdminArea:
    base_url, clock = context.base_url, context.clock
    signer, refusals = Signer(context.store.admin_key()), RefusalLog(clock)
    access = access_for(
        setup.settings, frame, base_url=base_url, signer=signer, refusals=refusals, clock=clock
    )
    return AdminArea(
        frame=frame,
        base_url=base_url,
        access=access,
        site=AdminSite(context.store, context.subscribers, clock, has_invites=setup.has_invites),
        actions=AdminActions(context.changing, base_url, clock),
        watch=ReportWatch(setup.report, clock),
        pages=context.pages,
        signer=signer,
        refusals=refusals,
        clock=clock,
    )
