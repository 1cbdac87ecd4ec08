"""`digest web`: serves only the web pages, for installations that run `digest run` by a timer."""

import typer

from digest.cli.context import context_of, log_as_set


def web(context: typer.Context) -> None:
    """Serve the web pages: unsubscribe, preferences, digests online. The daemon serves them as well.

    Needs [cyan]web.base_url[/cyan] in digest.toml ([cyan]digest docs web[/cyan]). Changes of
    subscribers.toml take effect by themselves. While the disk is full, the command waits.
    """
    from digest.service.sd_notify import Notifier
    from digest.service.wait_for_state import persist

    log_as_set(context)
    persist(lambda: _serve(context), Notifier({}))


def _serve(context: typer.Context) -> None:
    import asyncio

    from digest.errors import ConfigurationError
    from digest.service.bootstrap import load_setup
    from digest.service.web_only import serve_alone

    config = context_of(context).config
    setup = load_setup(config, converts=True)
    if setup.settings.web.base_url is None:
        raise ConfigurationError(
            "web.base_url is not set; set it to the public address of this server,"
            ' for example base_url = "https://digest.example.org"'
        )
    asyncio.run(serve_alone(setup, lambda: load_setup(config)))
