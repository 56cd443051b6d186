"""The web application, put together."""

from fastapi import FastAPI

from dialer import __version__
from dialer.web.callbacks import callback_routes
from dialer.web.health import health_routes
from dialer.web.incoming import incoming_routes
from dialer.web.media import media_routes
from dialer.web.opt_out import opt_out_routes
from dialer.web.services import WebServices
from dialer.web.transcripts import transcript_routes


def create_app(services: WebServices) -> FastAPI:
    """The ASGI application over *services*.

    Its server must not log addresses: a callback's holds the attempt's token. Paths are exact,
    for a redirect would lose the carrier's signature; the API's description stays hidden while
    there is no login.
    """
    return FastAPI(
        title="dialer",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=[
            *callback_routes(services),
            *transcript_routes(services),
            *media_routes(services),
            *incoming_routes(services),
            *opt_out_routes(services),
            *health_routes(services),
        ],
    )
