"""Refusals in Twilio's words: HTTP status, code and message of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dialer.errors import DialerError

_TEXTS: Final[Mapping[int, tuple[int, str]]] = MappingProxyType(
    {
        20003: (401, "Authenticate"),
        20009: (400, "Cannot delete because call is still in progress"),
        20404: (404, "The requested resource {0} was not found"),
        20429: (429, "Too Many Requests"),
        20500: (500, "An internal server error has occurred"),
        20503: (503, "Service is unavailable. Please try again"),
        21201: (400, "No 'To' number is specified"),
        21205: (400, "Url parameter is required."),
        21206: (400, "{0} is not a valid HTTP method"),
        21210: (400, "The source phone number {0} is neither verified nor bought"),
        21211: (400, "The number to call, {0}, is not valid"),
        21212: (400, "The source phone number {0} is not valid"),
        21213: (400, "No 'From' number is specified"),
        21214: (400, "The number to call, {0}, cannot be reached"),
        21215: (400, "Account not authorized to call {0}."),
        21216: (400, "Account not allowed to call {0}"),
        21217: (400, "Phone number {0} does not appear to be valid"),
        21218: (400, "ApplicationSid {0} is not valid"),
        21220: (400, "Call is not in-progress. Cannot redirect."),
        21234: (400, "MachineDetection value {0} is not valid"),
        22005: (429, "The call queue is full"),
        32018: (400, "Twiml parameter is longer than {0} characters"),
    }
)


class ApiError(DialerError):
    """An answer other than success: Twilio's *code* and the HTTP *status* it comes with."""

    def __init__(self, code: int, *values: object) -> None:
        status, text = _TEXTS[code]
        super().__init__(text.format(*values))
        self.api_code = code
        self.status = status

    def body(self) -> dict[str, object]:
        """The JSON body Twilio answers with."""
        return {
            "code": self.api_code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.api_code}",
            "status": self.status,
        }
