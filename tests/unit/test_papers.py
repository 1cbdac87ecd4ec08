"""Every way to name a paper gives its identity, and nothing else does."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digest.model.paper import parse_identifier

WRITTEN = [
    ("2606.01234", "2606.01234", None),
    (" 2606.01234v2\n", "2606.01234", 2),
    ("0704.0001", "0704.0001", None),
    ("math.GT/0309136v1", "math/0309136", 1),
    ("HEP-TH/9108001", "hep-th/9108001", None),
    ("arXiv:2606.01234", "2606.01234", None),
    ("arXiv: 2606.01234v3", "2606.01234", 3),
    ("arXiv:2606.01234 [cs.LG]", "2606.01234", None),
    ("(arXiv:math.GT/0309136v2 [math.GT]).", "math/0309136", 2),
    ("arXiv:2606.01234v1 [cond-mat.str-el] 5 Jun 2026", "2606.01234", 1),
    ("oai:arXiv.org:hep-th/9108001", "hep-th/9108001", None),
    ("http://arxiv.org/abs/2606.01234v1", "2606.01234", 1),
    ("https://arxiv.org/abs/2606.01234/", "2606.01234", None),
    ("https://arxiv.org/abs/2606.01234?context=cs.LG", "2606.01234", None),
    ("https://arxiv.org/abs/math.GT/0309136v1?context=math", "math/0309136", 1),
    ("https://arxiv.org/abs/hep-th%2F9108001", "hep-th/9108001", None),
    ("https://arxiv.org/html/2606.01234v2#S3.SS1", "2606.01234", 2),
    ("https://arxiv.org/pdf/2606.01234v2.pdf", "2606.01234", 2),
    ("https://arxiv.org/pdf/2606.01234.pdf#page=3", "2606.01234", None),
    ("https://arxiv.org/pdf/hep-th/9108001", "hep-th/9108001", None),
    ("https://arxiv.org/format/2606.01234", "2606.01234", None),
    ("https://arxiv.org/src/2606.01234v1", "2606.01234", 1),
    ("https://arxiv.org/e-print/2606.01234", "2606.01234", None),
    ("https://arxiv.org/ps/math/0309136", "math/0309136", None),
    ("https://arxiv.org/tb/2606.01234", "2606.01234", None),
    ("https://arxiv.org/2606.01234", "2606.01234", None),
    ("arxiv.org/abs/2606.01234", "2606.01234", None),
    ("//www.arxiv.org/abs/2606.01234", "2606.01234", None),
    ("export.arxiv.org/pdf/2606.01234v4", "2606.01234", 4),
    ("HTTPS://ArXiv.org/ABS/2606.01234V2", "2606.01234", 2),
    ("https://ar5iv.labs.arxiv.org/html/2606.01234", "2606.01234", None),
    ("https://ar5iv.org/abs/2606.01234", "2606.01234", None),
    ("https://www.alphaxiv.org/abs/2606.01234v1", "2606.01234", 1),
    ("10.48550/arXiv.2606.01234", "2606.01234", None),
    ("doi:10.48550/arXiv.2606.01234", "2606.01234", None),
    ("DOI: 10.48550/ARXIV.HEP-TH/9108001", "hep-th/9108001", None),
    ("https://doi.org/10.48550/arXiv.2606.01234", "2606.01234", None),
    ("http://dx.doi.org/10.48550%2FarXiv.2606.01234", "2606.01234", None),
    ("<https://arxiv.org/abs/2606.01234>", "2606.01234", None),
    ("“arXiv:2606.01234”,", "2606.01234", None),
    ("[2606.01234]", "2606.01234", None),
    ("**2606.01234v1**;", "2606.01234", 1),
]


@pytest.mark.parametrize(("written", "identity", "version"), WRITTEN)
def test_every_way_to_name_a_paper_gives_its_identity(
    written: str, identity: str, version: int | None
) -> None:
    assert parse_identifier(written) == (identity, version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2606",
        "2606.012",
        "2606.012345",
        "2606.01234v0",
        "2606.01234v",
        "٢606.01234",
        "2606.01234 and 2606.01235",
        "see 2606.01234",
        "https://arxiv.org/",
        "https://arxiv.org/abs/",
        "https://arxiv.org/abs/0309136",
        "https://arxiv.org/list/cs.LG/recent",
        "https://arxiv.org/list/math/0309136",
        "https://arxiv.org/tb/redirect/1845295/8591d4034",
        "https://notarxiv.org/abs/2606.01234",
        "https://arxiv.org.example.org/abs/2606.01234",
        "https://example.org/arxiv.org/abs/2606.01234",
        "ftp://arxiv.org/abs/2606.01234",
        "10.1000/arXiv.2606.01234",
        "https://doi.org/2606.01234",
    ],
)
def test_what_names_no_paper_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an arXiv identifier"):
        parse_identifier(text)


HOSTS = [
    "arxiv.org",
    "www.arxiv.org",
    "export.arxiv.org",
    "de.arxiv.org",
    "ar5iv.labs.arxiv.org",
    "alphaxiv.org",
]
KINDS = ["abs", "html", "pdf", "format", "src", "e-print", "ps", "tb"]
NEW = st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}", fullmatch=True)
OLD = st.from_regex(r"(hep-th|math|quant-ph|cs)/[0-9]{7}", fullmatch=True)


@given(
    identity=NEW | OLD,
    version=st.none() | st.integers(1, 9999),
    scheme=st.sampled_from(["", "//", "http://", "https://"]),
    host=st.sampled_from(HOSTS),
    kind=st.sampled_from(KINDS),
    end=st.sampled_from(["", "/", "?context=cs.LG", "#S1", "/?x=1#y", ".pdf"]),
    around=st.sampled_from([("", ""), ("<", ">"), ("(", ")."), ("“", "”,"), (" ", "\n"), ("[", "];")]),
)
def test_any_address_of_a_paper_gives_its_identity(
    identity: str,
    version: int | None,
    scheme: str,
    host: str,
    kind: str,
    end: str,
    around: tuple[str, str],
) -> None:
    suffix = f"v{version}" if version else ""
    address = f"{scheme}{host}/{kind}/{identity}{suffix}{end}"
    assert parse_identifier(address.join(around)) == (identity, version)


@given(
    text=st.text()
    | st.lists(
        st.sampled_from(
            [
                "https://",
                "arxiv.org/",
                "abs/",
                "arXiv:",
                "doi.org/",
                "10.48550/arXiv.",
                "2606",
                "v1",
                "?",
                "[",
            ]
        )
    ).map("".join)
)
def test_any_text_without_an_identifier_is_refused(text: str) -> None:
    assume(not re.search(r"[0-9]{4}\.[0-9]{4}|/[0-9]{7}", text))
    with pytest.raises(ValueError, match="not an arXiv identifier"):
        parse_identifier(text)
