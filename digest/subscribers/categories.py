"""The categories of an entry of subscribers.toml."""

from digest.config.parsing import nearest, shown
from digest.model.categories import ARCHIVES, NAMES, category_code, nearest_category


def parse_categories(value: object, wrong: list[str]) -> tuple[str, ...]:
    """The list of categories; adds problems to `wrong`."""
    if not isinstance(value, list):
        wrong.append(
            f'categories: {shown(value)} is not a list; write codes: categories = ["cs.LG", "stat.*"]'
        )
        return ()
    found: list[str] = []
    for number, text in enumerate(value, start=1):
        try:
            code = parse_category(text)
        except ValueError as error:
            wrong.append(f"categories, number {number}: {error}")
            continue
        if code in found:
            wrong.append(f"categories, number {number}: {shown(text)} is there already; list each only once")
        found.append(code)
    return tuple(found)


def parse_category(value: object) -> str:
    """A category's code, or an archive with `.*`, as arXiv writes them. Raises `ValueError`."""
    text = value.strip() if isinstance(value, str) else ""
    archive = text.lower().removesuffix(".*")
    if code := category_code(text):
        return code
    if archive in ARCHIVES and text.endswith(".*"):
        return f"{archive}.*"
    if archive in ARCHIVES:
        hint = f'for all of {archive} write "{archive}.*"'
    elif text.endswith(".*") and (near := nearest(archive, ARCHIVES)):
        hint = f'did you mean "{near}.*"?'
    elif archive and (near := nearest_category(archive)):
        hint = f'did you mean "{near}" ({NAMES[near]})?'
    else:
        hint = "see https://arxiv.org/category_taxonomy"
    raise ValueError(f'{shown(value)}: must be a category of arXiv, for example "cs.LG" or "stat.*"; {hint}')
