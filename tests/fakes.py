"""A source and a transport that do as they are told."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from digest.errors import ServerUnavailable
from digest.keywords.query import Query
from digest.mail.transport import Outcome, Outgoing, Receipt
from digest.model.paper import Paper
from digest.sources.base import MANY
from digest.sources.window import Window


class FakeSource:
    """Answers each group of at most `group` queries with all of `papers`, or raises what `failing` says."""

    lists_again = True

    def __init__(self, *papers: Paper, group: int = 100, name: str = "fake arXiv") -> None:
        self.name = name
        self.papers = papers
        self.group = group
        self.price = 1
        self.failing: Callable[[Sequence[Query]], Exception | None] = lambda queries: None
        self.asked: list[tuple[Sequence[Query], Window]] = []

    def can_answer(self, query: Query) -> bool:
        return True

    def cost(
        self, queries: Sequence[Query], window: Window, *, expected: int, enough: int = MANY
    ) -> int | None:
        return self.price

    def batches(self, queries: Sequence[Query]) -> tuple[tuple[Query, ...], ...]:
        return tuple(tuple(queries[at : at + self.group]) for at in range(0, len(queries), self.group))

    async def search(self, queries: Sequence[Query], window: Window) -> tuple[Paper, ...]:
        self.asked.append((queries, window))
        if error := self.failing(queries):
            raise error
        return self.papers


class FakeTransport:
    """Takes mails; `answer` decides the receipt, and a `ServerUnavailable` it returns is raised."""

    def __init__(self, sessions: int = 1) -> None:
        self.sessions = sessions
        self.taken: list[Outgoing] = []
        self.opened = 0
        self.refusing: ServerUnavailable | None = None
        self.answer: Callable[[Outgoing], Receipt | ServerUnavailable] = lambda mail: Receipt(
            outcome=Outcome.SENT, reply="250 taken"
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator["FakeTransport"]:
        if self.refusing:
            raise self.refusing
        self.opened += 1
        yield self

    async def send(self, mail: Outgoing) -> Receipt:
        answer = self.answer(mail)
        if isinstance(answer, ServerUnavailable):
            raise answer
        if answer.outcome is Outcome.SENT:
            self.taken.append(mail)
        return answer
