"""`digest export`: papers as references, for BibTeX, Zotero and others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of, log_errors_only
from digest.cli.json_output import print_object
from digest.cli.options import AsObject
from digest.mail.citations import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.config.settings import Settings
    from digest.model.paper import ArxivId, Paper


def export(
    ctx: typer.Context,
    arxiv_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ARXIV_ID...",
            help="Identifiers, addresses or DOIs, for example 2606.01234.",
            show_default=False,
        ),
    ],
    form: Annotated[
        Format, typer.Option("--format", help="bibtex, ris, csl-json or markdown.")
    ] = Format.BIBTEX,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write. Default, and [b]-[/b]: standard output.",
            show_default=False,
        ),
    ] = None,
    as_json: AsObject = False,
) -> None:
    """Write papers as references: BibTeX, RIS, CSL-JSON or Markdown.

    Papers come from the state, in the order of the arguments. If a paper was never fetched, the command asks
    arXiv for it. Nothing is marked as seen. With [b]--json[/b] and without a file, the references are in the
    object.
    """
    from digest.cli.input_file import STANDARD
    from digest.cli.output import write_file
    from digest.mail.citations.writer import write_references

    log_errors_only(ctx)
    papers = _papers(context_of(ctx).settings(), _parsed(arxiv_ids))
    text = write_references(papers, form)
    output = None if output == STANDARD else output
    if output is not None:
        write_file(output, text)
    if as_json:
        print_object(
            {
                "format": form.value,
                "path": output and str(output.absolute()),
                "papers": [{"id": one.id, "version": one.version, "title": one.title} for one in papers],
                "references": text if output is None else None,
            }
        )
    elif output is None:
        typer.echo(text.encode(), nl=False)  # UTF-8, as in a file, whatever the encoding of the terminal


def _parsed(texts: "Sequence[str]") -> "list[ArxivId]":
    from digest.model.paper import parse_identifier

    try:
        return [parse_identifier(text)[0] for text in texts]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ARXIV_ID") from error


def _papers(settings: "Settings", wanted: "Sequence[ArxivId]") -> "list[Paper]":
    from digest.cli.state_access import fetch_paper
    from digest.storage.factory import open_beside

    with open_beside(settings.state) as store:
        histories = {arxiv_id: store.paper_history(arxiv_id) for arxiv_id in wanted}
    return [
        history.paper if history else fetch_paper(settings, arxiv_id)
        for arxiv_id, history in histories.items()
    ]
