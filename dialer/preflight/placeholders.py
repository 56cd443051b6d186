"""What an agent's texts want to know of a contact."""

import re
from typing import Final

from dialer.model import Agent, AgentKind

#: As whoever speaks the text fills it in; a test holds the two together.
_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]{1,100})\}\}")
#: Options that are texts.
_SPOKEN: Final = ("greeting", "voicemail", "opt_out_reply")


def named_in(text: str) -> list[str]:
    """The names in double braces, in order, each once."""
    return list(dict.fromkeys(name.strip() for name in _PLACEHOLDER.findall(text)))


def placeholders(agent: Agent) -> list[str]:
    """Every name that the agent's texts are filled in with."""
    texts = [agent.target] if agent.kind is AgentKind.MESSAGE else []
    texts += [agent.options[option] for option in _SPOKEN if option in agent.options]
    return named_in("\n".join(texts))
