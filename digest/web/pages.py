"""Renders values as HTML, with the templates in `templates/web`."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import jinja2
from markupsafe import Markup

from digest.config.parsing import WEEKDAYS
from digest.errors import ConfigurationError
from digest.mail.citations import Format
from digest.mail.citations.coins import context_object
from digest.mail.citations.writer import FILE_TYPES
from digest.mail.rendering.highlight import matched_words
from digest.mail.rendering.paper_view import build_card, line_for
from digest.mail.rendering.richtext import RichText
from digest.mail.rendering.templates import long_date
from digest.model.digest import Digest
from digest.model.paper import Paper, one_line
from digest.storage.values import KeywordPage
from digest.subscribers.interest.judgements import Example, Judgement
from digest.subscribers.preferences import NEVER
from digest.subscribers.subscriber import Subscriber
from digest.web.digest_page import shown_groups, shown_paper
from digest.web.preferences_form import DAYS, LENGTHS, Form
from digest.web.preview import Preview, PreviewBox, rate
from digest.web.signup_form import SignupForm
from digest.web.zones import zone_names

_ASKED = {"more": "More like this?", "less": "Less like this?", "undo": "Take it back?"}
_DONE = {"more": "More like this: noted", "less": "Less like this: noted", "undo": "Taken back"}
_FILES = {
    name: FILE_TYPES[form]
    for name, form in (("BibTeX", Format.BIBTEX), ("RIS", Format.RIS), ("CSL-JSON", Format.CSL_JSON))
}
_NAMES = (
    "message",
    "leave",
    "preferences",
    "keyword",
    "digest",
    "undo",
    "own_data",
    "interests",
    "link",
    "address",
    "judging",
    "judge",
    "admin",
    "admin_list",
    "admin_sign_in",
    "preview_page",
    "join",
    "confirm",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberUrls:
    """The addresses of one subscriber's own pages; only `leave` if the token only unsubscribes."""

    leave: str
    manage: str | None = None
    feed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a page says first: what was done, or with `is_failure` that it was not done, and what follows."""

    title: str
    text: str = ""
    is_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPaper:
    """Where a paper is judged, and `is_liked`, the judgement of its subscriber; `None` if there is none."""

    more: str
    less: str
    undo: str
    is_liked: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The page at `url` on which a subscriber judges the papers of a digest, and what they said by now.

    `verdicts` has their judgements, by arXiv identifier.
    """

    url: str
    email: str
    verdicts: Mapping[str, bool]

    def paper(self, arxiv_id: str) -> JudgedPaper:
        more, less, undo = (f"{self.url}/{verdict}/{arxiv_id}" for verdict in ("more", "less", "undo"))
        return JudgedPaper(more=more, less=less, undo=undo, is_liked=self.verdicts.get(arxiv_id))


class Pages:
    """Renders pages. Several threads may use it at once.

    Raises `ConfigurationError` if a template is missing or not valid.
    """

    def __init__(self, templates: Path, *, is_indexed: bool) -> None:
        folder = templates / "web"
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "example_title": _example_title,
            "long_date": long_date,
            "card": build_card,
            "rate": rate,
        }
        try:
            self._templates = {name: environment.get_template(f"{name}.html.j2") for name in _NAMES}
            style = (folder / "style.css").read_text(encoding="utf-8")
            self.script = (folder / "preview.js").read_text(encoding="utf-8")
        except (jinja2.TemplateError, OSError) as error:
            raise ConfigurationError(f"{folder}: {error}; correct the templates or install again") from error
        self._style = Markup(style)  # noqa: S704 (it is ours)
        self._is_indexed = is_indexed
        digest = b64encode(sha256(style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'"
        )
        """The Content-Security-Policy of all pages without a script."""
        self.policy_with_script = f"{self.policy}; script-src 'self'; connect-src 'self'"

    def message(self, title: str, text: str) -> str:
        return self._render("message", title=title, text=text)

    def leave(self, *, email: str, is_enrolled: bool, may_return: bool, urls: SubscriberUrls) -> str:
        """The page with the button to unsubscribe; if not subscribed, to subscribe again."""
        return self._render(
            "leave",
            title="Unsubscribe" if is_enrolled else "Unsubscribed",
            email=one_line(email),
            is_enrolled=is_enrolled,
            may_return=may_return,
            urls=urls,
        )

    def undo(self, *, email: str, what: str, changes: Sequence[str], button: str, url: str) -> str:
        """The page with the button that undoes or confirms a change; `changes` are what it would do."""
        return self._render(
            "undo", title=button, email=one_line(email), what=what, changes=changes, button=button, url=url
        )

    def preferences(
        self,
        *,
        email: str,
        form: Form | None,
        may_return: bool,
        notice: Notice | None,
        urls: SubscriberUrls,
        box: PreviewBox,
    ) -> str:
        """`form` is `None` if not subscribed; `notice` says what was just done."""
        return self._render(
            "preferences",
            title="Your preferences",
            email=one_line(email),
            form=form,
            may_return=may_return,
            notice=notice,
            days=DAYS,
            lengths=LENGTHS,
            zones=zone_names(),
            urls=urls,
            box=box,
        )

    def address(self, *, email: str, url: str, notice: Notice | None, wanted: str, error: str) -> str:
        """The page that asks for another address; `url` is that of the preferences."""
        return self._render(
            "address",
            title="Change your address",
            email=one_line(email),
            url=url,
            notice=notice,
            may_ask=notice is None or not notice.is_failure,
            wanted=wanted,
            error=error,
        )

    def link(self, *, url: str, notice: Notice | None, wanted: str, error: str, stamp: str) -> str:
        """The page that mails somebody the link to their preferences."""
        return self._render(
            "link",
            title="Mail me the link",
            url=url,
            notice=notice,
            wanted=wanted,
            error=error,
            stamp=stamp,
        )

    def own_data(self, *, email: str, url: str, is_in_file: bool, notice: Notice | None) -> str:
        """The page that says what is stored; `is_in_file`: the entry is in a file of the operator."""
        return self._render(
            "own_data",
            title="Your data",
            email=one_line(email),
            url=url,
            is_in_file=is_in_file,
            notice=notice,
        )

    def interests(
        self,
        *,
        email: str,
        url: str,
        judgements: Sequence[Judgement],
        liked: Sequence[str],
        disliked: Sequence[str],
        page: int,
        pages: int,
        notice: Notice | None,
    ) -> str:
        """Page number `page` of the judgements of a subscriber, and the words that were learned from all."""
        return self._render(
            "interests",
            title="What you like",
            email=one_line(email),
            url=url,
            judgements=judgements,
            liked=liked,
            disliked=disliked,
            page=page,
            pages=pages,
            notice=notice,
        )

    def preview(self, preview: Preview, *, url: str, is_for_script: bool = False) -> str:
        """The page at `url` with nothing but a preview; the script takes it from there into its form."""
        action = "script" if is_for_script else ""
        return self._render(
            "preview_page", title="Preview", preview=preview, preview_url=url, preview_action=action
        )

    def join(
        self,
        *,
        form: SignupForm,
        url: str,
        domains: Sequence[str],
        notice: Notice | None,
        box: PreviewBox,
    ) -> str:
        """The form at `url` with which people sign up."""
        return self._render(
            "join",
            title="Sign up",
            signup=form,
            form=form.fields,
            url=url,
            domains=domains,
            notice=notice,
            box=box,
            days=DAYS,
            lengths=LENGTHS,
            zones=zone_names(),
        )

    def confirm_signup(
        self, subscriber: Subscriber, *, mark: str, url: str, notice: Notice | None, box: PreviewBox
    ) -> str:
        """The page with the button that confirms a sign-up; `mark` names what was shown."""
        schedule = subscriber.send_schedule
        day = DAYS[NEVER if schedule.weekly is None else WEEKDAYS[schedule.weekly]]
        return self._render(
            "confirm",
            title="Subscribe",
            email=one_line(subscriber.email),
            keywords=[keyword.label for keyword in subscriber.keywords],
            times=f"{day[:1].lower() if schedule.weekly is None else 'on ' + day[:1]}{day[1:]}"
            f" at {schedule.send_at:%H:%M} ({schedule.timezone.key})",
            mark=mark,
            url=url,
            notice=notice,
            box=box,
        )

    def keyword(self, page: KeywordPage, *, feed_url: str) -> str:
        keyword = one_line(page.keyword)
        return self._render(
            "keyword",
            title=f"New papers: {keyword}",
            keyword=keyword,
            papers=[shown_paper(paper, matched_words(paper, (page.keyword,))) for paper in page.papers],
            feed_url=feed_url,
            is_public=True,
        )

    def digest(
        self, digest: Digest, *, url: str, keyword_pages: Mapping[str, str], judging: Judging | None = None
    ) -> str:
        """The page at `url`. Does not show whose digest it is; shows only keywords that found papers.

        With `judging` it is the subscriber's own page, with buttons beside each paper. Only that has the
        papers that match no keyword: they show what the subscriber likes.
        """
        return self._render(
            "judging" if judging else "digest",
            judging=judging,
            title=headline(digest),
            dated_on=digest.dated_on,
            groups=list(shown_groups(digest, keyword_pages)),
            revisions=[(line_for(one), context_object(one.paper)) for one in digest.revisions],
            near=list(map(shown_paper, digest.near)) if judging else [],
            files={} if judging else {name: f"{url}.{one.extension}" for name, one in _FILES.items()},
            feed_url="" if judging else f"{url}/feed.atom",
            is_public=judging is None,
        )

    def judge(self, paper: Paper, verdict: str, judging: Judging, *, is_done: bool) -> str:
        """The page with the button for a verdict on a paper: `more`, `less` or `undo`, which takes it back.

        With `is_done` it says that this was counted, and has the button that takes it back.
        """
        return self._render(
            "judge",
            title=(_DONE if is_done else _ASKED)[verdict],
            paper=build_card(paper),
            verdict=verdict,
            judging=judging,
            own=judging.paper(paper.id),
            is_done=is_done,
        )

    def admin(self, name: str, title: str, values: Mapping[str, object]) -> str:
        """A page of the administrators, by the name of its template."""
        return self._render(name, title=title, **dict(values))  # type: ignore[arg-type]

    def _render(
        self,
        name: str,
        *,
        feed_url: str = "",
        is_public: bool = False,
        notice: Notice | None = None,
        **values: object,
    ) -> str:
        return self._templates[name].render(
            style=self._style,
            feed_url=feed_url,
            is_indexed=is_public and self._is_indexed,
            notice=notice,
            **values,
        )


def _example_title(example: Example) -> RichText:
    return RichText(example.title or example.name)


def headline(digest: Digest) -> str:
    """As in a mail, but public: does not say that the reader received the earlier versions."""
    papers, versions = len(digest.entries), len(digest.revisions)
    if versions and not papers:
        return "1 new version" if versions == 1 else f"{versions} new versions"
    return "1 new paper" if papers == 1 else f"{papers} new papers"
