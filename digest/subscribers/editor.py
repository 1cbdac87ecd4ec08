"""What commands do with the subscribers, wherever their entries are."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from digest.config.parsing import address_key
from digest.errors import ConfigurationError
from digest.subscribers.changes import Unwanted, Wanted, checked
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.entries import Entries, Subscribed, Unsubscribed
from digest.subscribers.subscriber import Subscriber


def subscribe(
    directory: SubscriberDirectory,
    *,
    email: str,
    keywords: Sequence[str] = (),
    name: str | None = None,
    at: str | None = None,
    timezone: str | None = None,
    weekly: str | None = None,
    length: str | None = None,
    exclude: Sequence[str] = (),
    categories: Sequence[str] = (),
    crosslists: bool | None = None,
    replacements: str | None = None,
    keyword_name: str | None = None,
) -> Subscribed:
    """Adds a subscriber, or changes an existing one. Creates a file if needed.

    `exclude` and `categories` are added to the existing ones, like `keywords`. `keyword_name` is the
    subscriber's own name for the only keyword, or empty to remove the name.

    Raises `ConfigurationError`; then nothing is changed.
    """
    given = {
        "name": name,
        "at": at,
        "timezone": timezone,
        "weekly": weekly,
        "length": length,
        "crosslists": crosslists,
        "replacements": replacements,
    }
    options = {key: value for key, value in given.items() if value is not None}
    wanted = checked(
        email, keywords, options, exclude=exclude, categories=categories, keyword_name=keyword_name
    )

    def change(entries: Entries) -> Subscribed:
        number = entries.find(email)
        return entries.append(email, wanted) if number is None else entries.extend(number, wanted)

    return directory.edit(change, may_create=True)


def edit(directory: SubscriberDirectory, *, email: str, wanted: Wanted, unwanted: Unwanted) -> Subscribed:
    """Changes the entry of a subscriber. A keyword that is unwanted may be given by its name.

    Raises `ConfigurationError`; then nothing is changed.
    """

    def change(entries: Entries) -> Subscribed:
        number = entries.number_of(email)
        names = {one.name.casefold(): one for one in entries.subscriber(number).keywords if one.name}
        meant = tuple(names.get(one.text.casefold(), one) for one in unwanted.keywords)
        return entries.extend(number, wanted, replace(unwanted, keywords=meant))

    return directory.edit(change)


def unsubscribe(directory: SubscriberDirectory, *, email: str, keywords: Sequence[str] = ()) -> Unsubscribed:
    """Removes keywords of a subscriber; without `keywords`, or with the last one, the whole entry.

    A keyword may be given by the subscriber's own name for it.
    Raises `ConfigurationError`; then nothing is changed.
    """
    checked(email, (), {})

    def change(entries: Entries) -> Unsubscribed:
        number = entries.number_of(email)
        followed = entries.subscriber(number).keywords
        named = {one.name.casefold(): one.text for one in followed if one.name}
        texts = [named.get(keyword.strip().casefold(), keyword) for keyword in keywords]
        return entries.remove(number, checked(email, texts, {}).keywords)

    return directory.edit(change)


def rename(
    directory: SubscriberDirectory,
    *,
    email: str,
    new: str,
    in_state: Callable[[str, str], bool] = lambda email, new: False,
) -> Subscriber:
    """Changes the address of a subscriber; the rest of the entry stays. Returns the new value.

    `in_state` does the same in the state before, and says whether the subscriber is known there.
    Raises `ConfigurationError`; then nothing is changed.
    """
    is_known = in_state(email, new)
    try:
        return _rename_entry(directory, email, new)
    except BaseException:
        if is_known:
            in_state(new, email)
        raise


def _rename_entry(directory: SubscriberDirectory, email: str, new: str) -> Subscriber:
    checked(new, (), {})

    def change(entries: Entries) -> Subscriber:
        if entries.find(new) is not None and address_key(new) != address_key(email):
            raise ConfigurationError(f"{entries.label}: {new} already has an entry; remove one of the two")
        return entries.readdress(entries.number_of(email), new)

    return directory.edit(change)
