"""Finds the page for a token, if there is one, without HTTP.

All methods read or write the state: call them outside of the event loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from digest.errors import StateError
from digest.mail.citations import Format
from digest.mail.citations.writer import FILE_TYPES, write_references
from digest.mail.links import LinkBuilder
from digest.mail.rendering.paper_view import title_for
from digest.mail.rendering.templates import long_date
from digest.model.digest import Digest, groups
from digest.model.paper import Paper
from digest.storage.confirmations import PageChange
from digest.storage.subscriber_stores import PageChangeStore, PageStore
from digest.storage.values import KnownSubscriber
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from digest.web.context import Found, SiteBase, SiteContext, found_page, subscriber_among
from digest.web.feeds import Item, atom, paper_item
from digest.web.keyword_rows import Sent
from digest.web.pages import Notice, SubscriberUrls, headline
from digest.web.preferences_form import Form, build_form, is_renewal, is_return, is_whole, parse_form
from digest.web.preview import PreviewBox, preview_box

NEW_LINKS = (
    "All earlier links to your own pages and feed no longer work, also the link to this page."
    " Your next digest has the new links."
)

SAVED = Notice(title="Saved.")
ASKED = Notice(title="A mail was sent to your address.", text="Its link subscribes you again.")
INCOMPLETE = Notice(title="Nothing was saved.", text="The form was incomplete.", is_failure=True)
REFUSED = Notice(title="Nothing was saved.", text="Correct what is marked below.", is_failure=True)


class Site(SiteBase[PageStore, PageChangeStore]):
    """The pages of one installation. Each method returns `None` for an unknown token."""

    def __init__(self, context: SiteContext[PageStore, PageChangeStore]) -> None:
        super().__init__(context)
        self._link_builder = LinkBuilder(context.base_url, context.store, makes_pages=False)

    def leaving(self, token: str) -> Found | None:
        """The page with the button. Changes nothing."""
        known = self._leaver(token)
        return self._leave_page(token, known) if known else None

    def leave(self, token: str) -> Found | None:
        """Unsubscribes. Idempotent."""
        known = self._leaver(token)
        if known is None:
            return None
        if self._chosen(known).left_at is None:
            self._changing.leave_and_confirm(known.email, now=self._clock())
        return self._after("You are unsubscribed.", lambda: self._leave_page(token, known))

    def is_of_subscriber(self, token: str) -> Found | None:
        """An empty page if the token opens a subscriber's preferences."""
        return Found(body=b"") if self._store.subscriber_for(token) else None

    def preferences(self, token: str) -> Found | None:
        known = self._store.subscriber_for(token)
        return self._preferences_page(token, known) if known else None

    def save_preferences(self, token: str, sent: Sent) -> Found | None:
        """Saves the form, or nothing of it if it is incomplete or has an error.

        So requests of other programs, such as one-click unsubscribe (RFC 8058), change nothing here.
        """
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        subscriber = self._subscriber(known.email)
        if is_return(sent):
            return self._ask_owner(token, known)
        if subscriber is None or self._chosen(known).left_at:
            return self._preferences_page(token, known)
        if is_renewal(sent):
            self._changing.renew_links(known.email)
            return found_page(self._pages.message("New links", NEW_LINKS))
        if not is_whole(sent):
            return self._preferences_page(token, known, INCOMPLETE)
        chosen, form = parse_form(sent, subscriber, self._chosen(known), self._clock())
        if form.has_errors:
            return self._preferences_page(token, known, REFUSED, form)
        if chosen != replace(self._chosen(known), left_at=None):
            self._changing.save_preferences_and_confirm(known.email, chosen, now=self._clock())
        return self._preferences_after(token, known, SAVED)

    def adds_keywords(self, token: str, sent: Sent) -> bool:
        """Whether the form can be saved, and has keywords that are not followed yet."""
        known = self._store.subscriber_for(token)
        subscriber = self._subscriber(known.email) if known else None
        if known is None or subscriber is None or not is_whole(sent):
            return False
        before = self._chosen(known)
        chosen, form = parse_form(sent, subscriber, before, self._clock())
        return not form.has_errors and not set(chosen.added) <= set(before.added)

    def previewed(
        self, token: str, sent: Sent, box: PreviewBox, notice: Notice | None = None
    ) -> Found | None:
        """The form as it was sent, with the preview of its keywords. Saves nothing."""
        known = self._store.subscriber_for(token)
        if known is None:
            return None
        subscriber, chosen = self._subscriber(known.email), self._chosen(known)
        if subscriber is None or chosen.left_at or not is_whole(sent):
            return self._preferences_page(token, known)
        _, form = parse_form(sent, subscriber, chosen, self._clock())
        if box.preview and box.preview.is_over:
            form = replace(form, errors={**form.errors, "keywords": box.preview.excess})
        return self._preferences_page(token, known, notice, sent=form, box=box)

    def _ask_owner(self, token: str, known: KnownSubscriber) -> Found:
        """Anyone with a forwarded mail can ask; only the owner of the mailbox can confirm."""
        if self._subscriber(known.email) is None or self._chosen(known).left_at is None:
            return self._preferences_page(token, known)
        self._changing.confirm(known.email, PageChange.RETURN, now=self._clock())
        return self._preferences_after(token, known, ASKED)

    def digest(self, token: str) -> Found | None:
        digest = self._store.digest_page(token)
        if digest is None:
            return None
        return found_page(
            self._pages.digest(
                digest,
                url=f"{self._base_url}/d/{token}",
                keyword_pages=self._link_builder.keyword_pages(digest.keywords),
            )
        )

    def digest_feed(self, token: str) -> Found | None:
        """The papers of one digest."""
        digest = self._store.digest_page(token)
        if digest is None:
            return None
        return self._feed(
            f"/d/{token}",
            f"arXiv digest of {long_date(digest.dated_on)}",
            [paper_item(paper) for paper in _papers_of(digest)],
            digest.planned_at,
        )

    def digest_references(self, token: str, form: Format) -> Found | None:
        """The papers of one digest as a file for reference managers."""
        digest = self._store.digest_page(token)
        if digest is None:
            return None
        file_type = FILE_TYPES[form]
        return Found(
            body=write_references(_papers_of(digest), form).encode(),
            content_type=file_type.content_type,
            filename=f"arxiv-digest-{digest.dated_on.isoformat()}.{file_type.extension}",
        )

    def keyword(self, token: str) -> Found | None:
        page = self._store.keyword_page(token)
        if page is None:
            return None
        return found_page(self._pages.keyword(page, feed_url=f"{self._base_url}/k/{token}/feed.atom"))

    def keyword_feed(self, token: str) -> Found | None:
        page = self._store.keyword_page(token)
        if page is None:
            return None
        return self._feed(
            f"/k/{token}",
            f"arXiv: {page.keyword}",
            [paper_item(paper) for paper in page.papers],
            page.covered_at or self._clock(),
        )

    def subscriber_feed(self, token: str) -> Found | None:
        """The digests of one subscriber."""
        mailings = self._store.digests_of(token)
        if mailings is None:
            return None
        items = [
            _digest_item(f"{self._base_url}/d/{mailing.pages.digest}", mailing.digest)
            for mailing in mailings
            if mailing.pages
        ]
        return self._feed(f"/f/{token}", "arXiv digest", items, self._clock(), has_page=False)

    def _leaver(self, token: str) -> KnownSubscriber | None:
        """By a token that only unsubscribes; in mails of older versions, by a token for all pages."""
        return self._store.unsubscribed_for(token) or self._store.subscriber_for(token)

    def _leave_page(self, token: str, known: KnownSubscriber) -> Found:
        subscriber, left_at = self._subscriber(known.email), self._chosen(known).left_at
        return found_page(
            self._pages.leave(
                email=known.email,
                is_enrolled=subscriber is not None and left_at is None,
                may_return=subscriber is not None,
                urls=self._urls(token, known),
            )
        )

    def _preferences_after(self, token: str, known: KnownSubscriber, notice: Notice) -> Found:
        text = f"{notice.title} {notice.text}".rstrip()
        return self._after(text, lambda: self._preferences_page(token, known, notice))

    def _after(self, text: str, page: Callable[[], Found]) -> Found:
        """`page`, or if it cannot be made now, a message that the request is done."""
        try:
            return page()
        except StateError:
            return found_page(self._pages.message("Done", text))

    def _preferences_page(
        self,
        token: str,
        known: KnownSubscriber,
        notice: Notice | None = None,
        sent: Form | None = None,
        box: PreviewBox | None = None,
    ) -> Found:
        """`sent` was not saved."""
        subscriber, chosen = self._subscriber(known.email), self._chosen(known)
        is_subscriber = subscriber is not None and chosen.left_at is None
        form = sent or build_form(subscriber, chosen, self._clock()) if subscriber and is_subscriber else None
        html = self._pages.preferences(
            email=known.email,
            form=form,
            may_return=subscriber is not None,
            notice=notice,
            urls=self._urls(token, known),
            box=box or preview_box(self._base_url, f"/p/{token}/preview"),
        )
        return Found(
            body=html.encode(),
            is_refused=notice is not None and notice.is_failure,
            policy=self._pages.policy_with_script,
        )

    def _subscriber(self, email: str) -> Subscriber | None:
        return subscriber_among(self._subscribers(), email)

    def _chosen(self, known: KnownSubscriber) -> Preferences:
        return self._store.preferences_of(known.email)

    def _urls(self, token: str, known: KnownSubscriber) -> SubscriberUrls:
        if self._store.subscriber_for(token) is None:
            return SubscriberUrls(leave=f"{self._base_url}/u/{token}")
        return SubscriberUrls(
            leave=f"{self._base_url}/u/{token}",
            manage=f"{self._base_url}/p/{token}",
            feed=f"{self._base_url}/f/{known.feed}/feed.atom",
        )

    def _feed(
        self, path: str, title: str, items: Sequence[Item], updated_at: datetime, *, has_page: bool = True
    ) -> Found:
        page = f"{self._base_url}{path}"
        document = atom(
            url=f"{page}/feed.atom",
            page=page if has_page else None,
            title=title,
            items=items,
            updated_at=updated_at,
        )
        return Found(body=document, content_type="application/atom+xml")


def _papers_of(digest: Digest) -> list[Paper]:
    """All papers of a digest in the order of its mail: the new ones, and the new versions."""
    new = [entry.paper for group in groups(digest) for entry in group.entries]
    return new + [one.paper for one in digest.revisions]


def _digest_item(url: str, digest: Digest) -> Item:
    return Item(
        url=url,
        title=f"{headline(digest)}, {long_date(digest.dated_on)}",
        summary="\n".join(str(title_for(paper)) for paper in _papers_of(digest)),
        updated_at=digest.planned_at,
        published_at=digest.planned_at,
    )
