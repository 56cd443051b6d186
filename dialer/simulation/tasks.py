"""Tasks whose sets iterate in the same order in every run."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

T = TypeVar("T")


class CountedTask(asyncio.Task[T]):
    """A task that hashes to its number instead of its address, and shows its context.

    asyncio keeps tasks in sets, and cancels and awaits them in the order of iteration.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        number: int,
        context: Context | None = None,
        **options: Any,
    ) -> None:
        self.number = number
        self.context = copy_context() if context is None else context
        super().__init__(coroutine, context=self.context, **options)

    def __hash__(self) -> int:
        return self.number
