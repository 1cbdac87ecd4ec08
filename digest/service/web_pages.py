"""The web pages of a service, and what goes on beside them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial

from digest.service.admin_report import admin_setup_for
from digest.service.bootstrap import Setup
from digest.service.directory import directory_of
from digest.service.preview_asker import PreviewAsker
from digest.service.problem_counts import ProblemCounts
from digest.service.signup_sender import SignupSender
from digest.storage.base import Store
from digest.web.metrics import Metrics
from digest.web.server import serving


class WebPages:
    """The pages by the setup in use. Their addresses are those of the first setup."""

    def __init__(self, store: Store, setup: Callable[[], Setup], clock: Callable[[], datetime]) -> None:
        self._setup = setup
        self._clock = clock
        self.metrics = Metrics(ProblemCounts(lambda: setup().subscribers, lambda: setup().channels, clock))
        self.previews = PreviewAsker(store, lambda: setup().settings, clock, self.metrics.asked_arxiv)
        self._signups = SignupSender(store, setup, clock)

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serves the pages, and yields their address. Raises `ConfigurationError` if it cannot listen."""
        settings = self._setup().settings
        return serving(
            settings.web,
            settings.state,
            lambda: self._setup().subscribers,
            partial(directory_of, settings),
            clock=self._clock,
            metrics=self.metrics,
            defaults=settings.defaults,
            admin=admin_setup_for(self._setup, self._clock),
            signed_up=self._signups.wake,
            wake_previews=self.previews.wake,
        )

    def tasks(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """What runs meanwhile: arXiv is asked for previews, and the mails of sign-ups are sent soon."""
        asking = ("previews", self.previews.run)
        return (asking, ("sign-ups", self._signups.run)) if self._setup().settings.web.signup else (asking,)
