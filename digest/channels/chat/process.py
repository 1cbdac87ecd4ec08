"""Sends one message by apprise, in a separate process, which ends afterwards.

apprise blocks, logs, and says only whether it worked. Here a time limit can end it, its log goes nowhere, and
the requests that it makes are seen: what their answers were, and whether the message was in them. The address
comes by standard input, so that it is in no list of processes.
"""

import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from digest.channels.base import Outcome
from digest.channels.chat.message import DIALECTS, message_from, service_in, write
from digest.errors import kind_and_place

_TIMEOUTS = (10.0, 25.0)
_MOST_BYTES = 1_000_000
_MARK = "arxiv.org/"
_TRANSACTION = re.compile(r"(/send/m\.room\.\w+/)[^/?]+")


class _Seen:
    """The last request: its status and headers, or how it failed; whether the message was in it."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.wait: float | None = None
        self.has_message = False
        self.is_connected = True
        self.failure = ""


def main() -> None:
    """Reads a task from standard input, and prints the result."""
    printed = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    logging.disable(logging.CRITICAL)
    task = json.load(sys.stdin)
    try:
        answer = _send(task)
    except Exception as error:
        answer = _answer(Outcome.UNKNOWN, f"unexpected error: {kind_and_place(error)}; please report it")
    printed.write(json.dumps(answer))
    printed.flush()


def _send(task: dict[str, Any]) -> dict[str, Any]:
    service = service_in(task["url"])
    plugin = _plugin(task["url"], task["title"])
    if plugin is None or service is None:
        return _answer(Outcome.REFUSED, "apprise does not understand the address: is it complete?")
    if task.get("is_check"):
        return _answer(Outcome.SENT, "the address is understood")
    dialect = DIALECTS[service]
    text = write(message_from(task["message"]), dialect, plugin.body_maxlen)
    seen = _watch_requests(task["key"], service)
    is_sent = bool(plugin.notify(body=text, title="", body_format=dialect.form))
    return _judge(seen, is_sent=is_sent)


def _plugin(url: str, title: str) -> Any:
    from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode

    asset = AppriseAsset(
        app_id="arXiv digest", app_desc=title, image_url_mask="", image_url_logo="", async_mode=False
    )
    plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    service = service_in(url)
    if plugin is None or service is None:
        return None
    plugin.notify_format = NotifyFormat(DIALECTS[service].form)
    plugin.overflow_mode = OverflowMode.UPSTREAM  # never split
    plugin.request_rate_per_sec = 0
    for name in ("include_image", "include_footer", "include_timestamp"):
        if hasattr(plugin, name):
            setattr(plugin, name, False)
    return plugin


def _watch_requests(key: str, service: str) -> _Seen:
    """Watches each request that is made from now on. None follows a redirect, and each has a time limit."""
    import requests

    seen, send = _Seen(), requests.Session.send

    def watched(session: Any, request: Any, **options: Any) -> Any:
        seen.__init__()  # type: ignore[misc]
        _identify(request, key, service)
        seen.has_message = _has_message(request.body) or "/send/m.room." in str(request.url)
        options |= {"allow_redirects": False, "timeout": _TIMEOUTS, "stream": True}
        try:
            response = send(session, request, **options)
            response._content = response.raw.read(_MOST_BYTES, decode_content=True)
            response._content_consumed = True
        except Exception as error:
            seen.failure, seen.is_connected = _failure(error)
            raise requests.RequestException("no answer") from None
        seen.status, seen.wait = response.status_code, _wait(response)
        if seen.status == 429:  # apprise would wait and try again
            raise requests.RequestException("too many requests")
        return response

    setattr(requests.Session, "send", watched)  # noqa: B010 (the way in which mypy accepts it)
    sleep = time.sleep
    setattr(time, "sleep", lambda seconds: sleep(min(seconds, 1.0)))  # noqa: B010
    return seen


def _identify(request: Any, key: str, service: str) -> None:
    """Gives a message its id: Matrix drops a repeat, ntfy shows it in the place of the first one.

    https://spec.matrix.org/latest/client-server-api/#transaction-identifiers,
    https://docs.ntfy.sh/publish/#updating-deleting-notifications
    """
    if service == "matrix":
        request.url = _TRANSACTION.sub(rf"\g<1>{key}", request.url)
    elif service == "ntfy":
        request.headers["X-Sequence-ID"] = key


def _has_message(body: object) -> bool:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    return _MARK in text or _MARK in unquote_plus(text).replace("\\/", "/")


def _failure(error: BaseException) -> tuple[str, bool]:
    """How a request failed, without the address; whether there was a connection before."""
    from requests import ConnectionError as NoConnection
    from requests import ConnectTimeout
    from requests.exceptions import ProxyError, SSLError

    if isinstance(error, ConnectTimeout):
        return "no connection in time", False
    if isinstance(error, SSLError):
        return "the certificate of the server is not valid", False
    if isinstance(error, ProxyError):
        return "the proxy gives no connection", False
    if isinstance(error, NoConnection) and "NewConnectionError" in repr(error) + _reasons(error):
        return "no connection", False
    if isinstance(error, NoConnection) and "NameResolutionError" in _reasons(error):
        return "the name of the server is not found", False
    return "no answer, or a part of one", True


def _reasons(error: BaseException) -> str:
    found = (getattr(one, "reason", None) for one in error.args)
    return " ".join(type(one).__name__ for one in found if one is not None)


def _wait(response: Any) -> float | None:
    """The seconds that a service asks to wait, in a header or in its own JSON."""
    found = response.headers.get("Retry-After")
    try:
        answer = json.loads(response._content)
    except (ValueError, RecursionError):
        answer = {}
    if isinstance(answer, dict):
        inner = answer.get("parameters")
        found = answer.get("retry_after") or answer.get("retry-after") or found
        found = (inner.get("retry_after") if isinstance(inner, dict) else None) or found
        if isinstance(answer.get("retry_after_ms"), int | float):
            return _seconds(answer["retry_after_ms"], of_one=1000)
    return _seconds(found)


def _seconds(number: Any, *, of_one: int = 1) -> float | None:
    """The seconds that a service wrote, within limits; `None` if it is no number."""
    try:
        return max(0.0, min(float(number) / of_one, 1e9))
    except (TypeError, ValueError, OverflowError):
        return None


def _judge(seen: _Seen, *, is_sent: bool) -> dict[str, Any]:
    if is_sent:
        return _answer(Outcome.SENT, str(seen.status or "sent"))
    if seen.failure:
        may_have_it = seen.is_connected and seen.has_message
        return _answer(Outcome.UNKNOWN if may_have_it else Outcome.REFUSED, seen.failure)
    if seen.status is None:
        return _answer(Outcome.REFUSED, "apprise did not send it: is the address complete?")
    reply = f"the service answered {seen.status}"
    if 200 <= seen.status < 300:  # with an error in the answer, as Slack does
        return _answer(Outcome.REFUSED, f"{reply}, and did not take it", seen.wait)
    if seen.status == 410:
        return _answer(Outcome.GONE, reply)
    if seen.status >= 500 and seen.status != 503 and seen.has_message:
        return _answer(Outcome.UNKNOWN, reply, seen.wait)
    return _answer(Outcome.REFUSED, reply, seen.wait)


def _answer(outcome: Outcome, reply: str, wait: float | None = None) -> dict[str, Any]:
    return {"outcome": outcome.value, "reply": reply, "wait": wait}


if __name__ == "__main__":
    main()
