"""REST resources as Twilio renders them: its field names, every figure a string. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from dialer.carrier_sim.call import Call
from dialer.carrier_sim.numbers import number_sid
from dialer.carrier_sim.payloads import API_VERSION, DIRECTION, rfc2822

#: No figure of anybody's account.
BALANCE: Final = "1000.00"
_SUBRESOURCES: Final = {
    "events": "Events",
    "notifications": "Notifications",
    "payments": "Payments",
    "recordings": "Recordings",
    "siprec": "Siprec",
    "streams": "Streams",
    "transcriptions": "Transcriptions",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
    "user_defined_messages": "UserDefinedMessages",
}


def call_resource(account_sid: str, call: Call) -> dict[str, Any]:
    """A call; it has no start before it is dialed, no end and duration before it ends."""
    path = f"{account_path(account_sid)}/Calls/{call.sid}"
    order = call.order
    return {
        "sid": call.sid,
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "direction": DIRECTION,
        "to": order.to,
        "to_formatted": formatted(order.to),
        "from": order.from_,
        "from_formatted": formatted(order.from_),
        "status": str(call.status),
        "answered_by": call.verdict,
        "date_created": rfc2822(call.accepted_at),
        "date_updated": rfc2822(call.updated_at),
        "start_time": _date(call.initiated_at),
        "end_time": _date(call.ended_at),
        "duration": None if call.live else str(call.duration_s),
        "queue_time": str(round(call.queue_s * 1000)),
        "price": None,
        "price_unit": "USD",
        "phone_number_sid": number_sid(order.from_),
        "parent_call_sid": None,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "trunk_sid": "",
        "uri": f"{path}.json",
        "subresource_uris": {name: f"{path}/{part}.json" for name, part in _SUBRESOURCES.items()},
    }


def account_resource(account_sid: str, created_at: int) -> dict[str, Any]:
    """The account itself: a paying one in good order. Its token is nobody's to read here."""
    created = rfc2822(created_at)
    return {
        "sid": account_sid,
        "owner_account_sid": account_sid,
        "friendly_name": "Simulated",
        "status": "active",
        "type": "Full",
        "auth_token": None,
        "date_created": created,
        "date_updated": created,
        "subresource_uris": {},
        "uri": f"{account_path(account_sid)}.json",
    }


def balance_resource(account_sid: str) -> dict[str, Any]:
    """What the account has left: plenty, for calls here cost nothing."""
    return {"account_sid": account_sid, "balance": BALANCE, "currency": "USD"}


def incoming_number_resource(account_sid: str, phone: str, created_at: int) -> dict[str, Any]:
    """A number that was bought."""
    sid, created = number_sid(phone), rfc2822(created_at)
    return {
        "sid": sid,
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "phone_number": phone,
        "friendly_name": formatted(phone),
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "status": "in-use",
        "beta": False,
        "origin": "twilio",
        "date_created": created,
        "date_updated": created,
        "address_requirements": "none",
        "emergency_status": "Inactive",
        "emergency_address_status": "unregistered",
        "voice_receive_mode": "voice",
        "voice_caller_id_lookup": False,
        "voice_method": "POST",
        "voice_url": None,
        "uri": f"{account_path(account_sid)}/IncomingPhoneNumbers/{sid}.json",
    }


def caller_id_resource(account_sid: str, phone: str, created_at: int) -> dict[str, Any]:
    """A number of somebody else's that may be shown."""
    sid, created = number_sid(phone), rfc2822(created_at)
    return {
        "sid": sid,
        "account_sid": account_sid,
        "phone_number": phone,
        "friendly_name": formatted(phone),
        "date_created": created,
        "date_updated": created,
        "uri": f"{account_path(account_sid)}/OutgoingCallerIds/{sid}.json",
    }


def account_path(account_sid: str) -> str:
    """Where everything of an account lives."""
    return f"/{API_VERSION}/Accounts/{account_sid}"


def formatted(phone: str) -> str:
    """A +1 number as it is written at home; any other as it is."""
    if phone.startswith("+1") and len(phone) == len("+12025550100"):
        return f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    return phone


def api_headers(request_id: str, concurrent: int, duration_s: float) -> Mapping[str, str]:
    """Headers recorded on the live API."""
    return {
        "Twilio-Request-Id": request_id,
        "Twilio-Concurrent-Requests": str(concurrent),
        "Twilio-Request-Duration": f"{duration_s:.3f}",
        "X-Api-Domain": "api.twilio.com",
        "X-Home-Region": "us1",
    }


def _date(at: int | None) -> str | None:
    return None if at is None else rfc2822(at)
