"""Judges requests and responses by Twilio's published API description.

The description is ``tests/data/twilio_calls_openapi.json``. It is stricter here than as published:
unknown parameters and repeated scalars are errors, and ranges that Twilio states in prose only are
added. Every finding is one sentence; no findings mean that the message is as described.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from jsonschema import Draft202012Validator

Schema: TypeAlias = dict[str, Any]

SPEC: Final = Path(__file__).parent.parent / "data" / "twilio_calls_openapi.json"
FORM: Final = "application/x-www-form-urlencoded"

#: Limits of ``POST Calls`` that the documentation states and the description leaves out.
IN_PROSE: Final[Mapping[str, Schema]] = {
    "Timeout": {"minimum": 1, "maximum": 600},
    "TimeLimit": {"minimum": 1},
    "MachineDetection": {"enum": ["Enable", "DetectMessageEnd"]},
    "MachineDetectionTimeout": {"minimum": 3, "maximum": 59},
    "MachineDetectionSpeechThreshold": {"minimum": 1000, "maximum": 6000},
    "MachineDetectionSpeechEndThreshold": {"minimum": 500, "maximum": 5000},
    "MachineDetectionSilenceTimeout": {"minimum": 2000, "maximum": 10000},
    "AsyncAmd": {"enum": ["true", "false"]},
    "Twiml": {"maxLength": 4000},
    "SendDigits": {"pattern": r"^[0-9#*wW ]{1,32}$"},
    "Trim": {"enum": ["trim-silence", "do-not-trim"]},
    "RecordingTrack": {"enum": ["inbound", "outbound", "both"]},
    "StatusCallbackEvent": {
        "items": {"enum": ["initiated", "ringing", "answered", "completed"]},
        "uniqueItems": True,
    },
}
ERROR: Final[Schema] = {
    "type": "object",
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
    },
    "required": ["code", "message", "more_info", "status"],
    "additionalProperties": False,
}
#: Empty on live calls, though described as a name or null.
TRUNK_SID: Final[Schema] = {"type": "string", "nullable": True, "pattern": "^(TK[0-9a-fA-F]{32})?$"}
RFC_2822: Final = r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$"


class TwilioSpec:
    """The operations described; paths are as on the wire, without a query."""

    def __init__(self) -> None:
        self._spec: Schema = json.loads(SPEC.read_text())
        for name, limits in IN_PROSE.items():
            self._body_of("CreateCall")["properties"][name] |= limits
        call = self._spec["components"]["schemas"]["api.v2010.account.call"]
        call["properties"]["trunk_sid"] = TRUNK_SID

    def check_request(self, method: str, path: str, query: str, body: str) -> list[str]:
        """What is wrong with a request."""
        found = self._operation(method, path)
        if found is None:
            return [f"no such operation: {method} {path}"]
        operation, in_path = found
        parameters = operation["parameters"]
        asked = _object_of(parameters, "query")
        findings = _check(_object_of(parameters, "path"), {k: [v] for k, v in in_path.items()})
        findings += _check(self._resolved(asked), parse_qs(query, keep_blank_values=True))
        form = parse_qs(body, keep_blank_values=True)
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"][FORM]["schema"]
            findings += _check(self._resolved(schema), form)
        elif form:
            findings.append(f"{method} {path} takes no body")
        names = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in form}
        for choice in operation.get("x-twilio", {}).get("conditional", []):
            if not names & set(choice):
                findings.append(f"one of {choice} is required")
        return findings

    def check_response(self, method: str, path: str, status: int, body: str) -> list[str]:
        """What is wrong with the response to a request."""
        found = self._operation(method, path)
        if found is None:
            return [f"no such operation: {method} {path}"]
        if status >= 400:
            return _problems(ERROR, json.loads(body)) + (
                [] if json.loads(body)["status"] == status else ["status differs from the head's"]
            )
        described = found[0]["responses"].get(str(status))
        if described is None:
            return [f"{method} {path} does not answer with {status}"]
        if "content" not in described:
            return [f"{status} has no body"] if body else []
        schema = self._resolved(described["content"]["application/json"]["schema"])
        return _problems(schema, json.loads(body))

    def _operation(self, method: str, path: str) -> tuple[Schema, dict[str, str]] | None:
        for template, item in self._spec["paths"].items():
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
            if (match := re.fullmatch(pattern, path)) and method.lower() in item:
                return item[method.lower()], match.groupdict()
        return None

    def _body_of(self, operation_id: str) -> Schema:
        for item in self._spec["paths"].values():
            for operation in item.values():
                if isinstance(operation, dict) and operation.get("operationId") == operation_id:
                    schema: Schema = operation["requestBody"]["content"][FORM]["schema"]
                    return schema
        raise LookupError(operation_id)

    def _resolved(self, schema: Any) -> Any:
        """*schema* as JSON Schema: references inlined, null allowed, nothing beside it."""
        if isinstance(schema, list):
            return [self._resolved(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return self._resolved(
                self._spec["components"]["schemas"][schema["$ref"].split("/")[-1]]
            )
        resolved = {name: self._resolved(part) for name, part in schema.items()}
        if "properties" in resolved:
            resolved["additionalProperties"] = False
        if resolved.get("format") == "date-time-rfc-2822":
            resolved["pattern"] = RFC_2822
        if resolved.pop("nullable", False):
            resolved["type"] = [resolved["type"], "null"]
        return resolved


@cache
def twilio_spec() -> TwilioSpec:
    """The description, read once."""
    return TwilioSpec()


def _object_of(parameters: Sequence[Schema], place: str) -> Schema:
    """Parameters *in* one place as the schema of one object."""
    there = [parameter for parameter in parameters if parameter["in"] == place]
    return {
        "type": "object",
        "properties": {parameter["name"]: parameter["schema"] for parameter in there},
        "required": [parameter["name"] for parameter in there if parameter.get("required")],
        "additionalProperties": False,
    }


def _check(schema: Schema, form: Mapping[str, Sequence[str]]) -> list[str]:
    """Findings about form or query values, read as the types they are described with."""
    properties, findings = schema["properties"], list[str]()
    values: dict[str, object] = {}
    for name, texts in form.items():
        described = properties.get(name, {})
        if described.get("type") == "array":
            values[name] = [_typed(text, described["items"]) for text in texts]
        else:
            values[name] = _typed(texts[0], described)
            findings += [f"{name} is given {len(texts)} times"] if len(texts) > 1 else []
    return findings + _problems(schema, values)


def _typed(text: str, schema: Schema) -> object:
    match schema.get("type"):
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case _:
            return text


def _problems(schema: Schema, instance: object) -> list[str]:
    found = Draft202012Validator(schema).iter_errors(instance)
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in found]
