"""Everything a daemon or a command imports, early or late, for the process they are forked off."""

import gc
import importlib
import pkgutil

import dialer.commands

for name in (
    "cli",
    "dialer.commands.session",
    "dialer.daemon",
    "tests.support.changes",
    "tests.support.forked",
    # Imported when they are needed first.
    "twilio.rest.api.v2010.account.call",
    "tzdata.zoneinfo",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
):
    importlib.import_module(name)
for module in pkgutil.iter_modules(dialer.commands.__path__, "dialer.commands."):
    importlib.import_module(module.name)

# A fork neither looks through these objects for cycles nor copies their pages by looking.
gc.collect()
gc.freeze()
