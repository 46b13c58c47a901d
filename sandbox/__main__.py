"""`python -m sandbox`: serve one sandbox."""

import gc
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from sandbox.box import build
from sandbox.seeds import SeedError
from sandbox.server import create_app

YOUNG_OBJECTS = 10_000
"""How many new containers there are before Python looks for cycles among them: a purchase makes
thousands, which all stay."""


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 12111,
    data: Annotated[
        Path | None, typer.Option(help="folder to keep data in; default: memory")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="`shop`, or a fixtures file")] = None,
    month_seconds: Annotated[
        float | None, typer.Option(help="how long a month lasts; default: a real month", min=1)
    ] = None,
    public_host: Annotated[
        list[str] | None, typer.Option(help="another host name to answer to; may be repeated")
    ] = None,
    chance: Annotated[int | None, typer.Option(help="seed for every random choice")] = None,
) -> None:
    """Serve a stand-in for Stripe's API at this address."""
    try:
        box = build(
            base_url=f"http://{host}:{port}",
            data=data,
            seed=seed,
            month_seconds=month_seconds,
            chance=chance,
        )
    except SeedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    app = create_app(box, hosts=frozenset(public_host or ()))
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_keep_alive=75
    )


def main() -> None:
    """The command `latchkey-sandbox`."""
    typer.run(serve)


if __name__ == "__main__":
    main()
