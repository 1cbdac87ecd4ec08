"""`digest like`, `digest dislike` and `digest interests`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done, print_object
from digest.cli.options import AsObject
from digest.config.parsing import counted
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from digest.cli.libraries.parser import Reference, Unread
    from digest.config.settings import Settings
    from digest.storage.base import Store
    from digest.subscribers.interest.judgements import Example, Judgement

Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The subscriber's mail address.", show_default=False)
]
Papers = Annotated[
    list[str],
    typer.Argument(
        metavar="ARXIV_ID...",
        help="Identifiers, addresses or DOIs, for example 2606.01234.",
        show_default=False,
    ),
]
Undo = Annotated[bool, typer.Option("--undo", metavar="", help="Withdraw the judgements of these papers.")]

_TERMS_SHOWN = 12
_UNREAD_SHOWN = 20


def like(
    ctx: typer.Context, email: Email, arxiv_ids: Papers, undo: Undo = False, as_json: AsObject = False
) -> None:
    """Say that a subscriber likes papers: papers like these come first in their digests.

    The papers must have been fetched once; arXiv is not asked. Idempotent.
    """
    _judge(ctx, email, arxiv_ids, None if undo else True, as_json=as_json)


def dislike(
    ctx: typer.Context, email: Email, arxiv_ids: Papers, undo: Undo = False, as_json: AsObject = False
) -> None:
    """Say that a subscriber dislikes papers: papers like these come last. None is left out.

    The papers must have been fetched once; arXiv is not asked. Idempotent.
    """
    _judge(ctx, email, arxiv_ids, None if undo else False, as_json=as_json)


def interests(
    ctx: typer.Context,
    email: Email,
    library: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Like all papers of a library: BibTeX, RIS or CSL-JSON, as Zotero exports it;"
            " [b]-[/b] is standard input.",
            show_default=False,
        ),
    ] = None,
    zotero: Annotated[
        str | None,
        typer.Option(
            metavar="USER", help="Like all papers of this user on zotero.org, by number.", show_default=False
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file with the key for [b]--zotero[/b].", show_default=False),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option("--forget", metavar="", help="Delete all that is kept about the subscriber's interest."),
    ] = False,
    as_json: AsObject = False,
) -> None:
    """Show which papers a subscriber likes and dislikes, and what was learned from them.

    A library is read once: papers that are added to it later are not noticed. Papers without an arXiv
    identifier count by title and abstract.
    """
    if (library is not None) + (zotero is not None) + forget + as_json > 1:
        raise typer.BadParameter("give only one of --import, --zotero, --forget and --json")
    settings = context_of(ctx).settings()
    email = _subscriber(settings, email)
    if library is not None:
        _take_over(settings, email, _read(library), _named(library))
    elif zotero is not None:
        _take_over(settings, email, _ask_zotero(zotero, key_file), f"the library of user {zotero}")
    elif forget:
        _forget(settings, email)
    else:
        _show(settings, email, as_json=as_json)


def _named(library: Path) -> str:
    from digest.cli.input_file import label_of

    return label_of(library)


def _judge(
    ctx: typer.Context, email: str, texts: Sequence[str], is_liked: bool | None, *, as_json: bool
) -> None:
    """`None` withdraws a judgement."""
    from digest.storage.factory import open_store
    from digest.subscribers.interest.judgements import Origin

    settings = context_of(ctx).settings()
    email = _subscriber(settings, email)
    examples = _examples(settings, texts)
    with open_store(settings.state) as store:
        before = {one.example.name: one.is_liked for one in store.judgements(email)}
        if is_liked is None:
            store.withdraw(email, [one.name for one in examples])
        else:
            store.judge(email, examples, is_liked=is_liked, origin=Origin.COMMAND, now=datetime.now(UTC))
    papers = [
        {"id": one.name, "title": one.title, "was_liked": before.get(one.name), "is_liked": is_liked}
        for one in examples
    ]
    lines = [f"{one.name} {one.title}: {_said(before.get(one.name), is_liked)}" for one in examples]
    print_done(lines, {"email": email, "papers": papers}, as_json=as_json)


def _said(before: bool | None, now: bool | None) -> str:
    """What a judgement changed."""
    if before == now:
        return "it has no judgement" if now is None else f"{_verdict(now)} already"
    if now is None:
        return "taken back"
    return _verdict(now) if before is None else f"{_verdict(now)}, no longer {_verdict(before)}"


def _verdict(is_liked: bool) -> str:
    return "liked" if is_liked else "disliked"


def _subscriber(settings: "Settings", email: str) -> str:
    from digest.cli.state_access import subscriber_named

    return subscriber_named(settings, email).email


def _examples(settings: "Settings", texts: Sequence[str]) -> "list[Example]":
    """The papers from the state. Raises `ConfigurationError` if one is not there."""
    from digest.model.paper import parse_identifier
    from digest.storage.factory import open_beside
    from digest.subscribers.interest.judgements import example_of

    try:
        wanted = dict.fromkeys(parse_identifier(text)[0] for text in texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ARXIV_ID") from error
    with open_beside(settings.state) as store:
        histories = {arxiv_id: store.paper_history(arxiv_id) for arxiv_id in wanted}
    if unknown := [arxiv_id for arxiv_id, history in histories.items() if history is None]:
        raise ConfigurationError(
            *(f"{one}: this paper was never fetched, so its words are not known" for one in unknown),
            "nothing was changed; `digest interests EMAIL --import FILE` takes papers with their texts",
        )
    return [example_of(history.paper) for history in histories.values() if history]


def _read(path: Path) -> "list[Reference | Unread]":
    from digest.cli.input_file import label_of, read_input_text
    from digest.cli.libraries.parser import parse_library

    text = read_input_text(path)
    try:
        return parse_library(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{label_of(path)}: {error};"
            " export the library again, for example from Zotero as BibTeX or CSL JSON"
        ) from error


def _ask_zotero(user: str, key_file: Path | None) -> "list[Reference | Unread]":
    import asyncio

    from digest.cli.input_file import label_of, read_input_text
    from digest.cli.libraries.zotero import fetch_library
    from digest.cli.state_access import progress

    if not (user.isascii() and user.isdigit()):
        raise typer.BadParameter(
            "must be the number of the user, which https://www.zotero.org/settings/keys shows"
        )
    if key_file is None:
        raise typer.BadParameter("--zotero needs --key-file")
    key = read_input_text(key_file).strip()
    if not key.isalnum():
        raise ConfigurationError(f"{label_of(key_file)}: this is not a key of Zotero")
    with progress() as notice:
        notice("asking zotero.org")
        return asyncio.run(fetch_library(user, key))


def _take_over(
    settings: "Settings", email: str, entries: "Sequence[Reference | Unread]", source: str
) -> None:
    from digest.cli.libraries.parser import Reference
    from digest.storage.factory import open_store
    from digest.subscribers.interest.judgements import Origin

    read = [one for one in entries if isinstance(one, Reference)]
    unread = [(one.label, one.reason) for one in entries if not isinstance(one, Reference)]
    with open_store(settings.state) as store:
        found = [(one, _example(store, one)) for one in read]
        disliked = {one.example.name for one in store.judgements(email) if not one.is_liked}
        usable = {one.name: one for _, one in found if one and one.name not in disliked}
        fresh = store.judge(
            email, usable.values(), is_liked=True, origin=Origin.IMPORT, now=datetime.now(UTC)
        )
    unread += [
        (one.label, "it has no title, and this paper of arXiv was never fetched")
        for one, example in found
        if example is None
    ]
    by_id = sum(one.is_of_arxiv for one in usable.values())
    typer.echo(
        f"{source}: {counted(len(entries), 'reference')};"
        f" {counted(len(usable), 'paper')} liked by {email}, {by_id} of them by arXiv identifier,"
        f" {len(usable) - by_id} by title and abstract; {fresh} are new."
    )
    if kept := sum(one is not None and one.name in disliked for _, one in found):
        typer.echo(f"Disliked by {email}, and that stays: {kept}.")
    if unread:
        typer.echo(f"Not used: {len(unread)}.")
    for label, reason in unread[:_UNREAD_SHOWN]:
        typer.echo(f"  {label}: {reason}")
    if len(unread) > _UNREAD_SHOWN:
        typer.echo(f"  and {len(unread) - _UNREAD_SHOWN} more")


def _example(store: "Store", one: "Reference") -> "Example | None":
    """The paper as arXiv has it if it was ever fetched, else as the library has it."""
    from digest.subscribers.interest.judgements import Example, example_by_title, example_of

    history = store.paper_history(one.arxiv_id) if one.arxiv_id else None
    if history is not None:
        return example_of(history.paper)
    if not one.title:
        return None
    if one.arxiv_id:
        return Example(name=one.arxiv_id, title=one.title, abstract=one.abstract)
    return example_by_title(one.title, one.abstract)


def _forget(settings: "Settings", email: str) -> None:
    from digest.storage.factory import open_store

    with open_store(settings.state) as store:
        gone = store.forget_interest(email)
    typer.echo(f"{email}: {counted(gone, 'judgement')} and all that was learned from them deleted.")


def _show(settings: "Settings", email: str, *, as_json: bool) -> None:
    from digest.storage.factory import open_beside
    from digest.subscribers.interest.reasons import learned_terms

    with open_beside(settings.state) as store:
        judgements = store.judgements(email)
    terms = learned_terms(judgements, limit=_TERMS_SHOWN) if judgements else ()
    if as_json:
        print_object(_as_object(email, judgements, terms))
    elif judgements:
        _print(judgements, terms)
    else:
        typer.echo(
            f"{email} has judged no paper yet: `digest like {email} ARXIV_ID` adds a judgement,"
            " and so do the links in their mails if the web pages are on."
        )


def _print(judgements: "Sequence[Judgement]", terms: Sequence[tuple[str, float]]) -> None:
    from digest.cli.output import print_table

    print_table(
        ("Paper", "Verdict", "Since", "By", "Title"),
        [
            (
                one.example.name if one.example.is_of_arxiv else "-",
                _verdict(one.is_liked),
                f"{one.judged_at:%Y-%m-%d}",
                one.origin.value,
                one.example.title,
            )
            for one in judgements
        ],
    )
    for name, sign in (("Learned, for", 1), ("Learned, against", -1)):
        if words := ", ".join(term for term, weight in terms if weight * sign > 0):
            typer.echo(f"{name}: {words}")


def _as_object(
    email: str, judgements: "Sequence[Judgement]", terms: Sequence[tuple[str, float]]
) -> dict[str, Any]:
    return {
        "email": email,
        "papers": [
            {
                "id": one.example.name if one.example.is_of_arxiv else None,
                "title": one.example.title,
                "is_liked": one.is_liked,
                "judged_at": one.judged_at.isoformat(),
                "origin": one.origin.value,
            }
            for one in judgements
        ],
        "terms": [{"term": term, "weight": round(weight, 4)} for term, weight in terms],
    }
