"""An installation whose administrators come through a proxy of their own."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from digest.subscribers.subscriber import Subscriber
from tests.integration.web_site import ADA, BASE, BO, Answer, Town, serving_town

HERE = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
GRACE = {"X-Remote-User": "grace"}
_FORM = re.compile(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.S)
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass(slots=True, kw_only=True)
class Administrators:
    """Asks at the address that only the proxy of the administrators knows."""

    town: Town
    address: str

    async def get(self, path: str = "/admin", headers: Mapping[str, str] = GRACE) -> Answer:
        return await self._ask("GET", path, None, headers)

    async def post(
        self, path: str, data: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        return await self._ask("POST", path, data, {**GRACE, **(HERE if headers is None else headers)})

    async def _ask(
        self, method: str, path: str, data: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Answer:
        async with self.town.session.request(
            method, self.address + path.removeprefix(BASE), data=data, headers=headers, allow_redirects=False
        ) as answer:
            return Answer(status=answer.status, headers=answer.headers, body=await answer.text())

    async def press(self, action: str, email: str, **fields: str) -> Answer:
        """Presses a button of the first page."""
        form = form_of((await self.get()).body, action, email)
        return await self.post("/admin/do", {**form, **fields})


def form_of(body: str, action: str, email: str) -> dict[str, str]:
    """The hidden fields of the form for this action."""
    for _, content in _FORM.findall(body):
        fields = {name: unescape(value) for name, value in _FIELD.findall(content)}
        if (fields.get("action"), fields.get("email")) == (action, email):
            return fields
    raise AssertionError(f"no button to {action} {email}")


@asynccontextmanager
async def looked_after(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    all_subscribers: Sequence[Subscriber] = (ADA, BO),
    signup: str | None = None,
    **admin: object,
) -> AsyncIterator[Administrators]:
    settings = {"header": "X-Remote-User", "users": ["grace"], "listen": "127.0.0.1:0", **admin}
    with caplog.at_level("INFO"):
        async with serving_town(folder, all_subscribers, admin=settings, signup=signup) as town:
            address = re.findall(r"administrators served url=(\S+)/admin", caplog.text)[-1]
            yield Administrators(town=town, address=address)
