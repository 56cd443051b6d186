"""Asking whoever sits at the terminal, until the answer can be used."""

from collections.abc import Callable

import typer


def ask(
    question: str,
    default: str | None = None,
    *,
    trouble: Callable[[str], str],
    hidden: bool = False,
) -> str:
    """The first answer that *trouble* has nothing against; what it has stands below the others.

    Without a *default* an empty answer is none. A *hidden* one is not shown while it is typed.
    """
    while True:
        answer: str = typer.prompt(
            question, default=default, show_default=bool(default), hide_input=hidden, err=True
        )
        why = trouble(answer.strip())
        if not why:
            return answer.strip()
        typer.echo(f"  {why}", err=True)
