"""DNS as it is asked: a name server on loopback that knows some names and is silent about others."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from digest.cli.doctor_checks.dns import DnsResolver, Missing
from tests.waiting import LIMIT


class NameServer(asyncio.DatagramProtocol):
    """Answers for TXT records alone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str | int, ...]) -> None:
        query = dns.message.from_wire(data)
        name = str(query.question[0].name)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        match name.partition(".")[0]:
            case "silent":
                return
            case "broken":
                answer.set_rcode(dns.rcode.SERVFAIL)
            case "absent":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            case "known":
                answer.answer.append(
                    dns.rrset.from_text(name, 60, "IN", "TXT", '"v=spf1 " "mx -all"', '"another text"')
                )
        self._transport.sendto(answer.to_wire(), address)


@pytest.fixture
async def resolver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DnsResolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    ours = dns.asyncresolver.Resolver(configure=False)
    ours.nameservers, ours.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", ours)
    yield DnsResolver()
    transport.close()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("known.example", ("v=spf1 mx -all", "another text")),
        ("without.example", ()),
        ("absent.example", Missing.NAME),
        ("silent.example", Missing.ANSWER),
        ("broken.example", Missing.ANSWER),
        ("a..b", Missing.ANSWER),
    ],
)
async def test_what_dns_says_and_what_it_does_not(
    resolver: DnsResolver, monkeypatch: pytest.MonkeyPatch, name: str, texts: tuple[str, ...] | Missing
) -> None:
    patience = 0.5 if name == "silent.example" else LIMIT
    monkeypatch.setattr("digest.cli.doctor_checks.dns._SECONDS", patience)
    found = await resolver.texts(name)
    assert found is texts if isinstance(texts, Missing) else set(found) == set(texts)  # type: ignore[arg-type]
