"""Saying a thing once: loops meet the same trouble at every turn, and a log is read by people."""

from collections.abc import Collection, Hashable


class Telling:
    """Remembers what was said last of each subject."""

    def __init__(self) -> None:
        self._said: dict[Hashable, str] = {}

    def is_news(self, subject: Hashable, words: str) -> bool:
        """Whether something else was said of *subject* before, or nothing; from now on it was."""
        news = self._said.get(subject) != words
        self._said[subject] = words
        return news

    def over(self, subject: Hashable) -> None:
        """The trouble has passed: should it come again, it is news."""
        self._said.pop(subject, None)

    def only(self, subjects: Collection[Hashable]) -> None:
        """Forget whatever was said of others than *subjects*."""
        self._said = {each: words for each, words in self._said.items() if each in subjects}
