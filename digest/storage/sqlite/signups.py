"""Invites, and sign-ups that wait for their confirmation."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from digest.config.parsing import address_key
from digest.storage.limits import (
    SIGNUP_MAILED_ONCE_IN,
    SIGNUPS_COUNTED_FOR,
    SIGNUPS_KEPT,
)
from digest.storage.signups import (
    Confirming,
    Invite,
    NewSignup,
    Signup,
    SignupAnswer,
    SignupFigures,
    SignupLimits,
    TypedMail,
)
from digest.storage.sqlite.connection import Connection
from digest.storage.sqlite.editions import Editions, Part
from digest.storage.sqlite.entries import SubscriberEntries
from digest.storage.sqlite.preferences import SavedPreferences, row_named_by
from digest.storage.sqlite.row_mapping import moment_of, text_of
from digest.storage.tokens import Kind, derived_key, network_mark, new_nonce, seal, subscriber_links
from digest.subscribers.preferences import Preferences
from digest.subscribers.stored import EntryChange

_HOUR = timedelta(hours=1)
_LONG_AGO = datetime(1991, 1, 1, tzinfo=UTC)

_INVITE = "nonce, number, made_at, until_at, uses, used, revoked_at"
_SIGNUP = "nonce, number, email, content, invite, written_at, mailed_at, attempts, confirmed_at"
_ADD_INVITE = f"""
INSERT INTO invite (nonce, made_at, until_at, uses) VALUES (?, ?, ?, ?) RETURNING {_INVITE}
"""  # noqa: S608 (all of it is written here)


class Invites(Part):
    """The part of the store for invites."""

    def add_invite(self, *, uses: int | None, until_at: datetime | None, now: datetime) -> Invite:
        with self._connection.transaction() as db:
            row = db.execute(
                _ADD_INVITE,
                [new_nonce(), text_of(now), until_at and text_of(until_at), uses],
            ).fetchone()
        return self._invite(row)

    def invites(self) -> tuple[Invite, ...]:
        return tuple(
            map(self._invite, self._connection.rows(f"SELECT {_INVITE} FROM invite ORDER BY number"))  # noqa: S608
        )

    def invite_for(self, token: str) -> Invite | None:
        row = row_named_by(self._connection, token, Kind.INVITE, f"SELECT {_INVITE} FROM invite")  # noqa: S608
        return self._invite(row) if row else None

    def revoke_invite(self, number: int, *, now: datetime) -> bool:
        with self._connection.transaction() as db:
            done = db.execute(
                "UPDATE invite SET revoked_at = coalesce(revoked_at, ?) WHERE number = ?",
                [text_of(now), number],
            )
            return bool(done.rowcount)

    def _invite(self, row: Sequence[Any]) -> Invite:
        nonce, number, made_at, until_at, uses, used, revoked_at = row
        return Invite(
            number=number,
            token=seal(self._connection.secret, Kind.INVITE, number, nonce),
            made_at=moment_of(made_at),
            until_at=until_at and moment_of(until_at),
            uses=uses,
            used=used,
            revoked_at=revoked_at and moment_of(revoked_at),
        )


class Signups(Part):
    """The part of the store for sign-ups."""

    def __init__(self, connection: Connection, editions: Editions) -> None:
        super().__init__(connection, editions)
        self._entries = SubscriberEntries(connection, editions)
        self._preferences = SavedPreferences(connection, editions)

    def sign_up(self, new: NewSignup, *, network: str, limits: SignupLimits, now: datetime) -> SignupAnswer:
        with self._connection.transaction() as db:
            answer = self.count_attempt(TypedMail.SIGNUP, network=network, limits=limits, now=now)
            if answer is SignupAnswer.TAKEN:
                _write(db, new, now)
            return answer

    def count_attempt(
        self, kind: TypedMail, *, network: str, limits: SignupLimits, now: datetime
    ) -> SignupAnswer:
        with self._connection.transaction() as db:
            _forget(db, now)
            mark = network_mark(self._connection.secret, network) if network else None
            answer = _counted(db, kind, mark, limits, now)
            if answer is SignupAnswer.TAKEN:
                db.execute(
                    "INSERT INTO signup_attempt (at, network, kind) VALUES (?, ?, ?)",
                    [text_of(now), mark, kind.value],
                )
            else:
                db.execute(_COUNT_REFUSAL, [text_of(_hour_of(now)), kind.value])
            return answer

    def signup_figures(self, *, now: datetime) -> SignupFigures:
        with self._connection.snapshot() as db:
            waiting, mailed = db.execute(
                "SELECT count(*) FILTER (WHERE confirmed_at IS NULL AND written_at > ?),"
                " count(*) FILTER (WHERE sent_at > ?) FROM signup",
                [text_of(now - SIGNUPS_KEPT), text_of(now - SIGNUPS_COUNTED_FOR)],
            ).fetchall()[0]
            refused = db.execute(
                "SELECT kind, sum(count) FROM signup_refusal WHERE hour_at > ? GROUP BY kind",
                [text_of(now - SIGNUPS_COUNTED_FOR)],
            ).fetchall()
        counts = {**dict.fromkeys(map(str, TypedMail), 0), **{kind: int(count) for kind, count in refused}}
        return SignupFigures(waiting=waiting, mailed=mailed, refused=counts)

    def joined_since(self, moment: datetime | None) -> tuple[tuple[str, datetime], ...]:
        rows = self._connection.rows(
            "SELECT content, joined_at FROM subscriber_entry WHERE joined_at > ? ORDER BY joined_at, number",
            [text_of(moment or _LONG_AGO)],
        )
        return tuple((json.loads(content)["email"], moment_of(at)) for content, at in rows)

    def left_since(self, moment: datetime) -> tuple[tuple[str, datetime], ...]:
        rows = self._connection.rows(
            "SELECT email, left_at"
            " FROM preference JOIN subscriber ON subscriber.number = preference.subscriber"
            " WHERE left_at > ? ORDER BY left_at, subscriber.number",
            [text_of(moment)],
        )
        return tuple((email, moment_of(at)) for email, at in rows)

    def signup_for(self, token: str, *, now: datetime) -> Signup | None:
        row = row_named_by(self._connection, token, Kind.SIGNUP, f"SELECT {_SIGNUP} FROM signup")  # noqa: S608
        signup = self._signup(row) if row else None
        return signup if signup and signup.written_at > now - SIGNUPS_KEPT else None

    def signup_mails(self, *, now: datetime) -> tuple[Signup, ...]:
        rows = self._connection.rows(
            f"""
            SELECT {_SIGNUP} FROM signup
            WHERE due_at <= ? AND written_at > ? AND address NOT IN (SELECT address FROM suppression)
            ORDER BY number
            """,  # noqa: S608 (all of it is written here)
            [text_of(now), text_of(now - SIGNUPS_KEPT)],
        )
        return tuple(map(self._signup, rows))

    def note_signup_mail(
        self, number: int, *, due_at: datetime | None, sent_at: datetime | None = None
    ) -> None:
        with self._connection.transaction() as db:
            db.execute(
                "UPDATE signup SET attempts = attempts + 1, due_at = ?, sent_at = coalesce(?, sent_at)"
                " WHERE number = ?",
                [due_at and text_of(due_at), sent_at and text_of(sent_at), number],
            )

    def confirm_signup(self, number: int, changes: Sequence[EntryChange], *, now: datetime) -> Confirming:
        with self._connection.transaction() as db:
            row = db.execute(
                "SELECT email, invite, confirmed_at FROM signup WHERE number = ? AND written_at > ?",
                [number, text_of(now - SIGNUPS_KEPT)],
            ).fetchone()
            if row is None:
                return Confirming.GONE
            email, invite, confirmed_at = row
            if confirmed_at is not None:
                return Confirming.DONE
            if invite is not None and not _is_valid(db, invite):
                return Confirming.CLOSED_INVITE
            if not self._entries.change_entries(changes):
                return Confirming.CONFLICT
            db.execute("UPDATE invite SET used = used + 1 WHERE number = ?", [invite])
            db.execute(
                "UPDATE signup SET confirmed_at = ?, due_at = NULL WHERE number = ?", [text_of(now), number]
            )
            self._preferences.save_preferences(email, Preferences())
            self._preferences.rejoin(email)
            return Confirming.DONE

    def forget_signups(self, *, now: datetime) -> None:
        with self._connection.transaction() as db:
            _forget(db, now)

    def subscriber_token(self, email: str) -> str | None:
        address = address_key(email)
        rows = self._connection.rows("SELECT number, links FROM subscriber WHERE address = ?", [address])
        if not rows:
            return None
        number, links = rows[0]
        return seal(self._connection.secret, Kind.SUBSCRIBER, number, subscriber_links(address, links))

    def form_key(self) -> bytes:
        return derived_key(self._connection.secret, "forms")

    def _signup(self, row: Sequence[Any]) -> Signup:
        nonce, number, email, content, invite, written_at, mailed_at, attempts, confirmed_at = row
        return Signup(
            number=number,
            email=email,
            content=content,
            invite=invite,
            token=seal(self._connection.secret, Kind.SIGNUP, number, nonce),
            written_at=moment_of(written_at),
            mailed_at=moment_of(mailed_at),
            attempts=attempts,
            is_confirmed=confirmed_at is not None,
        )


_COUNT_REFUSAL = """
INSERT INTO signup_refusal (hour_at, kind, count) VALUES (?, ?, 1)
ON CONFLICT (hour_at, kind) DO UPDATE SET count = signup_refusal.count + 1
"""

_COUNT = """
SELECT count(*), count(*) FILTER (WHERE at > ?), count(*) FILTER (WHERE at > ? AND network = ?)
FROM signup_attempt WHERE kind = ?
"""


def _counted(
    db: Database, kind: TypedMail, mark: bytes | None, limits: SignupLimits, now: datetime
) -> SignupAnswer:
    """Of those that `_forget` left."""
    since = text_of(now - _HOUR)
    of_day, of_hour, of_network = db.execute(_COUNT, [since, since, mark, kind.value]).fetchone()
    return limits.answer(of_day=of_day, of_hour=of_hour, of_network=of_network)


def _write(db: Database, new: NewSignup, now: datetime) -> None:
    """Replaces the sign-up of the address. Its mail, and so its token, is a new one only once a day.

    Until then the address stays as the mail has it: who has the token has proven that one alone.
    """
    values = {
        "address": address_key(new.email),
        "email": new.email,
        "content": new.content,
        "invite": new.invite,
        "now": text_of(now),
        "nonce": new_nonce(),
        "since": text_of(now - SIGNUP_MAILED_ONCE_IN),
    }
    db.execute(
        """
        INSERT INTO signup (address, email, content, invite, nonce, written_at, mailed_at, due_at)
        VALUES (:address, :email, :content, :invite, :nonce, :now, :now, :now)
        ON CONFLICT (address) DO UPDATE SET
            content = :content, invite = :invite, written_at = :now, confirmed_at = NULL
        """,
        values,
    )
    db.execute(
        """
        UPDATE signup SET email = :email, nonce = :nonce, mailed_at = :now, due_at = :now, attempts = 0
        WHERE address = :address AND mailed_at <= :since
        """,
        values,
    )


def _forget(db: Database, now: datetime) -> None:
    """Deletes what has ended. An attempt of the future, of a clock that was set back, does not count."""
    db.execute("DELETE FROM signup WHERE written_at <= ?", [text_of(now - SIGNUPS_KEPT)])
    db.execute(
        "DELETE FROM signup_attempt WHERE at <= ? OR at > ?",
        [text_of(now - SIGNUPS_COUNTED_FOR), text_of(now + _HOUR)],
    )
    db.execute(
        "DELETE FROM signup_refusal WHERE hour_at <= ? OR hour_at > ?",
        [text_of(now - SIGNUPS_COUNTED_FOR), text_of(now + _HOUR)],
    )


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _is_valid(db: Database, invite: int) -> bool:
    """Whether it is neither revoked nor used up; its last day counts for the sign-up, not for this."""
    valid = "SELECT 1 FROM invite WHERE number = ? AND revoked_at IS NULL AND (uses IS NULL OR used < uses)"
    return db.execute(valid, [invite]).fetchone() is not None
