"""`digest subscribers --export` and `--import`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from digest.cli.json_output import print_done
from digest.config.parsing import address_key, counted

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.subscribers import Form
    from digest.subscribers.entries import Imported

_SHOWN = 10


def export_subscribers(settings: "Settings", path: Path, form: "Form | None", *, as_json: bool) -> None:
    """Writes all entries to the file, or to standard output for `-`."""
    from digest.cli.input_file import STANDARD
    from digest.cli.output import write_file
    from digest.service.directory import directory_of
    from digest.subscribers import Form
    from digest.subscribers.exchange import form_of, write_entries

    form = form or (Form.TOML if path == STANDARD else form_of(path))
    entries = list(directory_of(settings).entries())
    text = write_entries(entries, form)
    if path == STANDARD:
        typer.echo(text.encode(), nl=False)
        return
    # Without a byte order mark some spreadsheets take UTF-8 for another encoding.
    write_file(path, f"\ufeff{text}" if form is Form.CSV else text)
    line = f"Wrote {counted(len(entries), 'subscriber')} to {path.absolute()}."
    fields = {"path": str(path.absolute()), "format": form.value, "subscribers": len(entries)}
    print_done([line], fields, as_json=as_json)


def import_subscribers(
    settings: "Settings", path: Path, form: "Form | None", *, is_dry: bool, as_json: bool
) -> None:
    """Takes over the entries of the file, or of standard input for `-`: all or none of them."""
    from digest.cli.input_file import STANDARD, label_of, read_input_text
    from digest.service.directory import directory_of, place_of
    from digest.subscribers import Form
    from digest.subscribers.exchange import form_of, import_entries, read_entries

    form = form or (Form.TOML if path == STANDARD else form_of(path))
    entries = read_entries(read_input_text(path), form, label_of(path), settings.defaults)
    done = import_entries(directory_of(settings), entries, is_dry=is_dry)
    lines = _described(done, place_of(settings), is_dry=is_dry)
    left = _left(settings, [*done.added, *done.changed])
    lines += [
        f"Note: {email} had unsubscribed, and gets no mail; `digest subscribe {email}` changes that."
        for email in left
    ]
    fields = {
        "place": place_of(settings),
        "is_dry_run": is_dry,
        "added": list(done.added),
        "changed": list(done.changed),
        "unchanged": done.same,
        "unsubscribed": left,
    }
    print_done(lines, fields, as_json=as_json)


def _described(done: "Imported", place: str, *, is_dry: bool) -> list[str]:
    add, change = ("Would add", "change") if is_dry else ("Added", "changed")
    count = counted(len(done.added), "subscriber")
    lines = [f"{add} {count} to {place}, {change} {len(done.changed)}; {done.same} unchanged."]
    lines += [f"New: {_some(done.added)}."] if done.added else []
    lines += [f"Changed: {_some(done.changed)}."] if done.changed else []
    return [*lines, "Nothing was written."] if is_dry else lines


def _some(emails: Sequence[str]) -> str:
    more = f", and {len(emails) - _SHOWN} more" if len(emails) > _SHOWN else ""
    return ", ".join(emails[:_SHOWN]) + more


def _left(settings: "Settings", emails: Sequence[str]) -> list[str]:
    """The subscribers who unsubscribed themselves: an import does not subscribe them again."""
    from digest.storage.factory import is_there, open_beside

    if not emails or not is_there(settings.state):
        return []
    with open_beside(settings.state) as store:
        left = {address for address, chosen in store.preferences().items() if chosen.left_at}
    return [email for email in emails if address_key(email) in left]
