"""`digest web`: the pages alone, for those who run `digest run` by a timer."""

import typer

from digest.cli.context import context_of


def web(context: typer.Context) -> None:
    """Serve the pages to unsubscribe, to choose and to read online. The daemon does so by itself.

    Needs [cyan]web.base_url[/cyan] in digest.toml ([cyan]digest docs web[/cyan]). An edited
    subscribers.toml is noticed.
    """
    import asyncio
    import logging

    from digest.assembly import load_setup
    from digest.errors import ConfigurationError
    from digest.web.alone import serve_alone

    logging.getLogger("digest").setLevel(min(logging.INFO, logging.getLogger().level))
    config = context_of(context).config
    setup = load_setup(config)
    if setup.settings.web.base_url is None:
        raise ConfigurationError(
            "web.base_url is not set; set it to the address that readers reach this server at,"
            ' as in base_url = "https://digest.example.org"'
        )
    asyncio.run(serve_alone(setup, lambda: load_setup(config)))
