"""`digest channels`: where digests go besides mails."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done, print_list
from digest.cli.options import AsList, AsObject
from digest.cli.usage import Command, Group
from digest.cli.volume import with_volume
from digest.config.parsing import channel_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.channels.base import Answer
    from digest.channels.channel import Channel
    from digest.service.channel_health import ChannelHealth

app = typer.Typer(cls=Group)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A channel, by its name in digest.toml.", show_default=False)
]


@app.callback(invoke_without_command=True)
@with_volume
def channels(ctx: typer.Context, as_json: AsList = False) -> None:
    """List the channels of digest.toml: what each follows, what is next, and what waits."""
    if ctx.invoked_subcommand is not None:
        return
    from digest.service.channel_health import examine_channels
    from digest.storage.factory import open_beside

    found = channels_of(ctx)
    with open_beside(context_of(ctx).settings().state) as store:
        health = examine_channels(store, found, now=datetime.now(UTC))
    if as_json:
        print_list(one.as_object() for one in health)
    elif health:
        _print(health)
    else:
        typer.echo("No channels yet: add a table [[channel]] to digest.toml (digest docs channels).")


@app.command("test", cls=Command)
@with_volume
def try_out(ctx: typer.Context, name: Name, as_json: AsObject = False) -> None:
    """Send a small digest of invented papers to a channel now, marked as a test. Nothing is stored.

    In a folder, a file is written and removed instead. Ends with 1 if the channel did not take it.
    """
    from digest.channels.base import Outcome

    channel = channel_called(name, channels_of(ctx))
    answer = _try(channel)
    is_checked = channel.folder and answer.outcome is Outcome.SENT
    outcome = "checked" if is_checked else answer.outcome.value
    fields = {"name": name, "outcome": outcome, "reply": answer.reply}
    print_done([f"{name}: {outcome}: {answer.reply}"], fields, as_json=as_json)
    raise typer.Exit(0 if answer.outcome is Outcome.SENT else 1)


@app.command("resume", cls=Command)
@with_volume
def resume(ctx: typer.Context, name: Name, as_json: AsObject = False) -> None:
    """Send digests again to a channel that rests. What waited for it is due now."""
    from digest.storage.factory import open_store

    channel = channel_called(name, channels_of(ctx))
    with open_store(context_of(ctx).settings().state) as store:
        rested = store.wake_channel(channel.follower.email, now=datetime.now(UTC))
    line = f"{name} goes on" if rested else f"{name} does not rest"
    print_done([line], {"name": name, "has_rested": rested}, as_json=as_json)


@app.command("secret", cls=Command)
@with_volume
def secret() -> None:
    """Print a new random secret for the signatures of a webhook. Both sides need it."""
    from digest.channels.signature import new_secret

    typer.echo(new_secret())


def channels_of(ctx: typer.Context) -> "tuple[Channel, ...]":
    import os

    from digest.channels.channel import load_channels
    from digest.config.loader import find_config, of_the_service

    context = context_of(ctx)
    environ = of_the_service(context.config, os.environ)
    return load_channels(context.settings(), environ, find_config(context.config, environ))


def channel_called(name: str, found: "Sequence[Channel]") -> "Channel":
    from digest.config.parsing import nearest
    from digest.errors import ConfigurationError

    for channel in found:
        if channel.name == name:
            return channel
    if not found:
        raise ConfigurationError(
            "digest.toml has no channels; add a table [[channel]] to it (digest docs channels)"
        )
    near = nearest(name, [one.name for one in found])
    hint = f"; did you mean {near}?" if near else "; `digest channels` lists them"
    raise ConfigurationError(f"digest.toml has no channel {name}{hint}")


def _try(channel: "Channel") -> "Answer":
    import asyncio
    import secrets

    from digest.channels.base import Post
    from digest.channels.folder import Folder
    from digest.channels.services import service_of
    from digest.demo.papers import ANNOUNCEMENTS
    from digest.model.digest import Digest, Entry

    service = service_of(channel)
    if isinstance(service, Folder):
        return asyncio.run(service.check())
    now, keyword = datetime.now(UTC), "a test with invented papers"
    papers = [announcement.paper for announcement in ANNOUNCEMENTS[:3]]
    digest = Digest(
        email=channel_address(channel.name),
        name=None,
        planned_at=now.replace(microsecond=0),
        dated_on=now.astimezone(channel.follower.send_schedule.timezone).date(),
        keywords=(keyword,),
        entries=tuple(Entry(paper=paper, keywords=(keyword,)) for paper in papers),
    )
    post = Post(
        token=f"test-{secrets.token_hex(12)}",
        title=f"TEST, the papers are invented: {channel.title}",
        digest=digest,
        sent_at=now,
        is_test=True,
    )
    return asyncio.run(service.send(post))


def _print(health: "Sequence[ChannelHealth]") -> None:
    from rich.table import Table
    from rich.text import Text

    from digest.cli.output import screen

    console = screen()
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for one in health:
        keywords = ", ".join(keyword.label for keyword in one.channel.follower.keywords)
        table.add_row(Text(one.channel.kind.value, "dim"), Text(one.line()), Text(keywords, "dim"))
    console.print(table)
    for one in health:
        for problem in one.problems():
            console.print(f"needs you: {problem}", style="bold red")
