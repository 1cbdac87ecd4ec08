"""`digest why`: what happened to one paper, for all subscribers or one of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.json_output import print_object
from digest.cli.options import AsObject, Moment, SubscriberOrChannel
from digest.config.parsing import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.cli.why_answers import Answer
    from digest.model.paper import Paper
    from digest.storage.values import PaperHistory

_SUBSCRIBERS_SHOWN = 10


def why(
    ctx: typer.Context,
    arxiv_id: Annotated[
        str,
        typer.Argument(
            metavar="ARXIV_ID", help="Identifier, address or DOI, for example 2606.01234.", show_default=False
        ),
    ],
    email: SubscriberOrChannel = None,
    now: Moment = None,
    as_json: AsObject = False,
) -> None:
    """Explain why a paper was mailed to a subscriber, or why not.

    Shows when it was announced and first fetched, which keywords match by which words, and which digest
    had it, or why none had it. If the paper was never fetched, the command asks arXiv for it.
    """
    from digest.cli.state_access import fetch_paper, subscriber_called
    from digest.cli.why_answers import answer_for
    from digest.model.paper import parse_identifier
    from digest.service.bootstrap import load_setup
    from digest.service.directory import place_of
    from digest.storage.factory import open_beside

    try:
        wanted, _ = parse_identifier(arxiv_id)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ARXIV_ID") from error
    log_errors_only(ctx)
    setup = load_setup(context_of(ctx).config)
    place = place_of(setup.settings)
    followers = (*setup.subscribers, *(channel.follower for channel in setup.channels))
    subscribers = [subscriber_called(email, followers, place)] if email else followers
    with open_beside(setup.settings.state) as store:
        paper_history = store.paper_history(wanted)
        paper = paper_history.paper if paper_history else fetch_paper(setup.settings, wanted)
        moment = now or datetime.now(UTC)
        answers = [
            answer_for(subscriber, paper, paper_history, store, lookback=setup.lookback, now=moment)
            for subscriber in subscribers
        ]
    if as_json:
        print_object(_as_object(paper, paper_history, answers))
    else:
        _print(paper, paper_history, answers)


def _print(paper: "Paper", paper_history: "PaperHistory | None", answers: "Sequence[Answer]") -> None:
    from rich.table import Table
    from rich.text import Text

    from digest.cli.output import indented, screen
    from digest.cli.why_answers import evidence, history

    console = screen()
    console.print(Text(f"{paper.id}v{paper.version}  {paper.title}", style="bold"))
    for line in history(paper, paper_history):
        console.print(indented(line))
    for answer in answers[:_SUBSCRIBERS_SHOWN]:
        console.print(Text(f"\n{answer.subscriber.email}", style="bold"))
        table = Table.grid(padding=(0, 2))
        for _ in range(4):
            table.add_column(overflow="fold")
        for verdict in answer.explanation.verdicts:
            sign, style = ("yes", "green") if verdict.match else ("no", "dim")
            table.add_row("", Text(sign, style), Text(verdict.keyword.label), Text(evidence(verdict)))
        console.print(table)
        for line in answer.outcome:
            console.print(indented(line))
    if len(answers) > _SUBSCRIBERS_SHOWN:
        console.print(
            f"\nand {counted(len(answers) - _SUBSCRIBERS_SHOWN, 'more subscriber')}: give an EMAIL to see one"
        )


def _as_object(
    paper: "Paper", paper_history: "PaperHistory | None", answers: "Sequence[Answer]"
) -> dict[str, Any]:
    return {
        "id": paper.id,
        "paper_version": paper.version,
        "title": paper.title,
        "submitted_at": paper.submitted_at and paper.submitted_at.isoformat(),
        "seen_at": paper_history and paper_history.seen_at and paper_history.seen_at.isoformat(),
        "subscribers": [
            {
                "email": answer.subscriber.email,
                "keywords": [
                    {
                        "keyword": verdict.keyword.text,
                        "name": verdict.keyword.name,
                        "matches": verdict.match is not None,
                        "fields": list(verdict.match.fields) if verdict.match else [],
                        "words": list(verdict.match.words) if verdict.match else [],
                        "missing": list(verdict.missing),
                    }
                    for verdict in answer.explanation.verdicts
                ],
                "outcome": list(answer.outcome),
            }
            for answer in answers
        ],
    }
