"""The JSON of a digest is what its schema says, by a foreign validator."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from digest.channels.payload import payload
from digest.model.digest import Entry
from tests.factories import invented_paper
from tests.webhooks import make_post

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "digest.schema.json").read_text(encoding="utf-8"))


def strict(part: object) -> object:
    """The same schema, which allows no field that it does not name."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {key: strict(value) for key, value in part.items()}
    if "properties" in found:
        found["unevaluatedProperties"] = False
    return found


STRICT = Draft202012Validator(
    {**SCHEMA, "properties": strict(SCHEMA["properties"]), "unevaluatedProperties": False},
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_digest_fits_it_and_has_no_other_field() -> None:
    post = make_post("2606.00001", "2606.00002", page="https://digest.example.org/d/x")
    found = json.loads(payload(post))
    STRICT.validate(found)
    assert [paper["keywords"] for paper in found["data"]["papers"]] == [["tea"], ["tea"]]
    assert found["data"]["keywords"][0] == {"keyword": "tea", "name": "hot"}
    assert found["data"]["revisions"][0]["from_version"] == 1


def test_a_paper_without_its_optional_parts_fits_it() -> None:
    post = make_post()
    bare = replace(
        invented_paper("math/0309136"), authors=(), submitted_at=None, updated_at=None, abstract=""
    )
    digest = replace(post.digest, entries=(Entry(bare, ()),), revisions=())
    STRICT.validate(json.loads(payload(replace(post, digest=digest))))


@pytest.mark.parametrize("field", ["id", "papers", "page"])
def test_the_schema_says_what_must_be_there(field: str) -> None:
    found = json.loads(payload(make_post()))
    del found["data"][field]
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(found)


def test_texts_are_in_unicode_with_their_tex_beside_them() -> None:
    post = make_post()
    paper = replace(invented_paper("2606.00001", r"On $\alpha$-decay of $^{12}$C"), abstract=r"By $x^2$.")
    digest = replace(post.digest, entries=(Entry(paper, ("tea",)),))
    found = json.loads(payload(replace(post, digest=digest)))["data"]["papers"][0]
    assert found["title"] == "On α-decay of ¹²C"
    assert found["abstract"] == "By x²."
    assert found["tex"] == {"title": r"On $\alpha$-decay of $^{12}$C", "abstract": r"By $x^2$."}
