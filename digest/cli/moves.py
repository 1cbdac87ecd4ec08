"""`digest rename` and `digest move`: another address, or another owner, of the same subscriber."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import context_of
from digest.cli.json_output import print_done
from digest.cli.options import AsObject, Email
from digest.cli.subscribers import where_of
from digest.errors import ConfigurationError

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.subscribers.directory import SubscriberDirectory


def rename(
    ctx: typer.Context,
    email: Email,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Their new address.", show_default=False)],
    keep_file: Annotated[
        bool,
        typer.Option(
            "--keep-file",
            metavar="",
            help="Do not change the entries: the entry of EMAIL is of another person, a new subscriber.",
        ),
    ] = False,
    as_json: AsObject = False,
) -> None:
    """Change the address of a subscriber. No paper is sent twice, and online choices stay.

    The links in earlier mails stop working, because another person may use the old mailbox now.

    You can also run this after you changed the address in subscribers.toml. If only the address of an
    entry changed, digest detects this by itself; [b]digest rename NEW EMAIL --keep-file[/b] undoes it.
    """
    from digest.cli.state_access import parsed_address
    from digest.service.directory import directory_of, place_of
    from digest.subscribers import editor

    settings = context_of(ctx).settings()
    directory, place = directory_of(settings), place_of(settings)
    email, new = parsed_address(email), parsed_address(new)
    if not keep_file:
        _refuse_taken(directory, email, new)
    is_in_file = not keep_file and (directory.find(email) is not None or directory.find(new) is None)
    in_state = partial(_rename_in_state, settings)
    if is_in_file:
        place = place_of(settings, editor.rename(directory, email=email, new=new, in_state=in_state))
    elif not in_state(email, new):
        raise ConfigurationError(
            f"{email} is not known, or {new} was mailed as another subscriber; nothing was changed"
        )
    else:
        directory.touch()  # a daemon compares addresses when the entries change
    if keep_file:
        line = f"{new} has the papers and choices of {email} again; {place} is unchanged."
    else:
        line = f"Renamed {email} to {new} in {place}; papers received and online choices stay."
    print_done([line], {"email": new, "former_email": email, "place": place}, as_json=as_json)


class Owner(StrEnum):
    FILE = "file"
    STATE = "state"


def move(
    ctx: typer.Context,
    email: Email,
    to: Annotated[
        Owner, typer.Option("--to", help="Where to put the entry: into the file, or into the state.")
    ],
    as_json: AsObject = False,
) -> None:
    """Move the entry of a subscriber from the file to the state, or back.

    The state has the entries of people who signed up. The subscriber gets the same digests as before: no
    paper is missed or sent twice, and online choices and links stay. A move to the state removes the comments
    of the entry.
    """
    from digest.cli.state_access import parsed_address
    from digest.service.directory import directory_of, place_of
    from digest.subscribers.combined import CombinedDirectory

    settings = context_of(ctx).settings()
    directory = directory_of(settings)
    email = parsed_address(email)
    if not isinstance(directory, CombinedDirectory):
        raise ConfigurationError(
            'subscribers = "database": all entries are in the state, and there is no file'
        )
    moved = directory.move(email, to_state=to is Owner.STATE)
    there = moved or directory.find(email)
    assert there  # noqa: S101 - `move` refuses an address that is in neither
    place = place_of(settings, there)
    line = f"Moved {there.email} to {place}; the digests go on as before."
    facts = {**where_of(settings, there), "is_changed": moved is not None}
    print_done([line if moved else f"{there.email} is in {place} already."], facts, as_json=as_json)


def _refuse_taken(directory: "SubscriberDirectory", email: str, new: str) -> None:
    """Raises `ConfigurationError` if both addresses have entries."""
    from digest.config.parsing import address_key

    if address_key(email) != address_key(new) and directory.find(email) and directory.find(new):
        raise ConfigurationError(
            f"{new} is a subscriber already; nothing was changed. Remove one of the two:"
            f" `digest unsubscribe {email}`, or that of {new}"
        )


def _rename_in_state(settings: "Settings", email: str, new: str) -> bool:
    """Whether the state knew the subscriber. Raises `ConfigurationError` if the new address is in use."""
    from digest.storage.factory import is_there, open_store

    if not is_there(settings.state):
        return False
    with open_store(settings.state) as store:
        if store.rename(email, new, now=datetime.now(UTC)):
            return True
        if store.subscriber_statuses([email]):
            raise ConfigurationError(f"{new} was mailed as another subscriber; nothing was changed")
        return False
