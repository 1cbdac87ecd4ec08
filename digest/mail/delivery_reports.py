"""What a notification says about each recipient, in any of the forms that servers write.

Most servers write delivery status notifications (RFC 3464, RFC 6533), but not all of them correctly. qmail
and its descendants write prose in their own form (https://cr.yp.to/proto/qsbmf.txt), and Exim's older prose
names the recipients in a header.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from digest.config.parsing import parse_address
from digest.mail.mime import Part
from digest.mail.smtp.reply import Reply, ReplyClass, Stage
from digest.mail.smtp.reply_codes import judge
from digest.mail.smtp.reply_text import ReplySubject, subject_of
from digest.model.paper import one_line

_MOST_REPORTS = 200
_LONGEST_WORDS = 2_000
_LONGEST_PROSE = 100_000

_STATUS_KINDS = ("message/delivery-status", "message/global-delivery-status")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?:smtp\s*;\s*)?([245]\d\d)(?:[ -]|$)", re.IGNORECASE)
_QUOTED_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?:[ -]#?[245]\.\d{1,3}\.\d{1,3}\b|[ -](?=[^\s\d]))")
_FIELD = re.compile(
    r"(final-recipient|original-recipient|action|status|diagnostic-code|remote-mta|last-attempt-date"
    r"|will-retry-until|final-log-id|reporting-mta|original-envelope-id|received-from-mta|dsn-gateway"
    r"|arrival-date|x-[\w-]{1,60})[ \t]*:[ \t]*(.*)",
    re.IGNORECASE,
)
_ONCE = ("final-recipient", "action")  # a second one begins another recipient
_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, section 3
_ACTION = re.compile(r"[a-z]+")
_RFC_ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")
_ACTIONS = {"5": "failed", "4": "delayed", "2": "delivered"}
_QMAIL = re.compile(
    r"\s*(?:Hi\. )?This is the \S*\s?(?:\S+ )?(?:program|server|mail)\b[^\n]* at ", re.IGNORECASE
)
_QMAIL_RECIPIENT = re.compile(r"<([^<>\s]{1,320})>:[ \t]*(.*)", re.DOTALL)
_NOT_FAILED = re.compile(
    r"warning only|(?:still being|will be|is being) (?:re)?tried|(?:been|was|is) delayed"
    r"|not yet been delivered|successfully delivered",
    re.IGNORECASE,
)
_QMAIL_END = re.compile(r"^--- |^-{5,}", re.MULTILINE)
# These statuses are so general, or so close to the words, that they do not contradict words about a mailbox.
_AGREES = re.compile(r"|5\.0\.\d+|5\.\d+\.0|5\.1\.\d+|5\.2\.1|5\.4\.1|5\.5\.\d+")


class Concern(Enum):
    """What a failure says about the mailbox.

    `DEAD`: the mailbox certainly does not exist. `DOUBTFUL`: it probably does not exist. `FULL`: it is full.
    `OTHER`: the failure is about something else, such as the sender, a rule or a limit, or gives no reason.
    """

    DEAD = "dead"
    DOUBTFUL = "doubtful"
    FULL = "full"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fields of one recipient (RFC 3464, section 2.3); `words` are from the server that refused."""

    action: str
    status: str = ""
    words: str = ""
    recipient: str | None = None
    original: str | None = None

    @property
    def concern(self) -> Concern:
        """Follows the rules for replies: the words outweigh the status, which often comes from a gateway."""
        if self.action != "failed" or self.status.startswith("4"):
            return Concern.OTHER
        found = judge(Stage.RECIPIENT, self._reply()).reply_class
        if found is ReplyClass.DEAD_ADDRESS:
            return Concern.DEAD if _AGREES.fullmatch(self.status) else Concern.DOUBTFUL
        if found is ReplyClass.DOUBTFUL_ADDRESS:
            return Concern.DOUBTFUL
        is_full = self.own_status == "5.2.2" or subject_of(self.words) is ReplySubject.MAILBOX_FULL
        return Concern.FULL if found is ReplyClass.SIZE and is_full else Concern.OTHER

    @property
    def own_status(self) -> str:
        """The status in the words, else the status field, unless it only says "failed".

        If the words begin with a code and have no status, as in `553 listed`, the relay derived the field
        from the code: sendmail makes 5.1.1 of 550 and 5.1.3 of 553, whatever the words are.
        """
        said = _STATUS.search(self.words)
        if said:
            return said[1]
        is_derived = self.status.endswith(".0.0") or _REPLY.match(self.words)
        return "" if is_derived else self.status

    def _reply(self) -> Reply:
        code = _REPLY.match(self.words)
        text = self.words[code.end() :] if code else self.words
        if not _STATUS.search(self.words):
            text = f"{self.own_status} {text}".strip()
        return Reply(code=int(code[1]) if code else 550, text=text)


def parse_reports(mail: Part) -> tuple[Report, ...]:
    """One report for each recipient that the notification names; empty if `mail` is not a notification."""
    parts = tuple(mail.walk())
    prose = "\n".join(part.text[:_LONGEST_PROSE] for part in parts if part.kind == "text/plain")
    found: list[Report] = []
    for part in parts:
        if part.kind in _STATUS_KINDS:
            found += _of_fields(part.text, prose)
    if found:
        return tuple(found[:_MOST_REPORTS])
    if _QMAIL.match(prose):
        return tuple(_of_qmail(prose))[:_MOST_REPORTS]
    return tuple(_of_header(mail, prose))[:_MOST_REPORTS]


def _of_fields(text: str, prose: str) -> Iterator[Report]:
    for fields in _blocks(text):
        status_field = _STATUS.search(fields.get("status", "")[:40])
        status = status_field[1] if status_field else ""
        action = _ACTION.match(fields.get("action", "").lower())
        is_about = "action" in fields or ("final-recipient" in fields and status)
        if not is_about:
            continue
        recipient = address_in(fields.get("final-recipient", ""))
        words = _diagnostic(fields.get("diagnostic-code", ""))
        yield Report(
            action=_known_action(action[0] if action else "", status),
            status=status,
            words=words or _words_on(recipient, prose),
            recipient=recipient,
            original=address_in(fields.get("original-recipient", "")),
        )


def _known_action(action: str, status: str) -> str:
    """The action as RFC 3464, section 2.3.3, names it; some servers write "failure" or "error"."""
    if action in _RFC_ACTIONS:
        return action
    return "failed" if action == "failure" else _ACTIONS.get(status[:1], action)


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """The fields of each recipient. A line without a field continues the line before, indented or not."""
    fields: dict[str, str] = {}
    name = ""
    blocks = 0
    for line in (*text.splitlines(), ""):
        found = None if line[:1] in (" ", "\t") else _FIELD.match(line)
        key = found[1].lower() if found else ""
        if fields and (not line.strip() or (key in _ONCE and key in fields)):
            yield fields
            fields, name = {}, ""
            blocks += 1
            if blocks > _MOST_REPORTS:
                return
        if found:
            name = key
            fields.setdefault(name, found[2][:_LONGEST_WORDS])
        elif name and len(fields[name]) < _LONGEST_WORDS:
            fields[name] += f"\n{line.strip()[:_LONGEST_WORDS]}"


def _diagnostic(value: str) -> str:
    code_type, separator, text = value.partition(";")
    is_type = separator and re.fullmatch(r"[\w-]{1,40}", code_type.strip())
    return (text if is_type else value).strip()


def _words_on(recipient: str | None, prose: str) -> str:
    """The reply after the recipient in the text for people; some servers give the reply only there."""
    at = prose.casefold().find(recipient.casefold()) if recipient else -1
    if recipient is None or at < 0:
        return ""
    behind = prose[at + len(recipient) : at + _LONGEST_WORDS].partition("\n\n")[0]
    found = _QUOTED_REPLY.search(behind)
    return behind[found.start() :].strip() if found else ""


def _of_qmail(prose: str) -> Iterator[Report]:
    end = _QMAIL_END.search(prose)
    before = ""
    for paragraph in (prose[: end.start()] if end else prose).split("\n\n")[1:]:
        if found := _QMAIL_RECIPIENT.match(paragraph.strip()):
            yield _of_prose(found[1], found[2], before)
        else:
            before += paragraph


def _of_header(mail: Part, prose: str) -> Iterator[Report]:
    """Headers of Exim, Gmail and others. Recipients of a mere warning are not in this header."""
    for address in ",".join(mail.all("X-Failed-Recipients")).split(",")[:_MOST_REPORTS]:
        if address.strip():
            at = prose.casefold().find(address.strip().casefold())
            behind = prose[at + len(address.strip()) : at + _LONGEST_WORDS] if at >= 0 else ""
            yield _of_prose(address, behind.partition("\n--")[0], prose[: max(at, 0)])


def _of_prose(address: str, text: str, before: str) -> Report:
    """A report from the words alone, which begin at the reply of the other server.

    `before`: the words before the first address say whether this is only a warning, or a success.
    """
    reply = _QUOTED_REPLY.search(text)
    words = (text[reply.start() :] if reply else text).strip()[:_LONGEST_WORDS]
    status = _STATUS.search(words)
    is_passing = (reply[1] if reply else status[1] if status else "5")[0] == "4"
    said = status[1] if status else ""
    return Report(
        action="delayed" if _NOT_FAILED.search(before) else "failed",
        status=said or ("4.0.0" if is_passing else ""),
        words=words,
        recipient=address_in(address),
    )


def address_in(value: str) -> str | None:
    """The address after its type, as in `rfc822; subscriber@example.org` or `utf-8; …` (RFC 6533)."""
    bare = one_line(value.rpartition(";")[2])[:1_000].strip().strip("<>")
    try:
        return parse_address(_XTEXT.sub(lambda found: chr(int(found[1], 16)), bare))
    except (ValueError, OverflowError):
        return None
