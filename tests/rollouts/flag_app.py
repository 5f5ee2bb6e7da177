"""An application that asks OpenFeature which shape to read, with a provider that reads a file of flagd's.

`/` is answered by the variant that its user gets (cookie `uid`, header `X-Team`); `/flags` says what is evaluated for
given keys. In a version whose name has `bad` in it, what reads the new shape fails.
"""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from pathlib import Path

import serve
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

WORD = 0xFFFFFFFF


def murmur3(data):
    """MurmurHash3, x86, 32 bits, seed 0."""

    def mixed(word):
        word = word * 0xCC9E2D51 & WORD
        word = (word << 15 | word >> 17) & WORD
        return word * 0x1B873593 & WORD

    found, whole = 0, len(data) // 4 * 4
    for place in range(0, whole, 4):
        found ^= mixed(int.from_bytes(data[place : place + 4], "little"))
        found = (found << 13 | found >> 19) & WORD
        found = (found * 5 + 0xE6546B64) & WORD
    if data[whole:]:
        found ^= mixed(int.from_bytes(data[whole:], "little"))
    found ^= len(data)
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13), (1, 16)):
        found = (found ^ found >> shift) * factor & WORD
    return found


def evaluated(rule, context):
    """The value of a JsonLogic rule, of what flagd adds: `fractional`."""
    if not isinstance(rule, dict):
        return rule
    ((verb, given),) = rule.items()
    if verb == "var":
        return context.get(given)
    if verb == "if":
        for test, then in zip(given[:-1:2], given[1::2], strict=True):
            if evaluated(test, context):
                return evaluated(then, context)
        return evaluated(given[-1], context)
    if verb == "fractional":
        share = murmur3(evaluated(given[0], context).encode()) * 100 // 2**32
        for variant, weight in given[1:]:
            share -= weight
            if share < 0:
                return variant
        return None
    values = [evaluated(value, context) for value in given]
    return {"==": lambda: values[0] == values[1], "in": lambda: values[0] in values[1], "cat": lambda: "".join(values)}[
        verb
    ]()


class FileProvider(AbstractProvider):
    """The flags of a file, which is read again when it was replaced."""

    def __init__(self, path):
        super().__init__()
        self.path, self.read, self.flags = Path(path), None, {}

    def get_metadata(self):
        return Metadata("file")

    def resolve_string_details(self, flag_key, default_value, evaluation_context=None):
        found = self.path.stat()
        if self.read != (found.st_ino, found.st_mtime_ns):
            self.flags, self.read = json.loads(self.path.read_text())["flags"], (found.st_ino, found.st_mtime_ns)
        flag = self.flags[flag_key]
        context = {**evaluation_context.attributes, "targetingKey": evaluation_context.targeting_key}
        context["$flagd.flagKey"] = flag_key
        variant = evaluated(flag.get("targeting") or {"var": ""}, context) or flag["defaultVariant"]
        return FlagResolutionDetails(flag["variants"][variant], variant=variant, reason=Reason.TARGETING_MATCH)

    def unable(self, *_, **__):
        raise NotImplementedError

    resolve_boolean_details = resolve_integer_details = resolve_float_details = resolve_object_details = unable


class Handler(serve.Handler):
    def variant(self, flag, key, context):
        asked = EvaluationContext(key, context)
        return api.get_client().get_string_details(flag, "legacy_read", asked).variant

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = [self.variant(asked["flag"], key, asked["context"]) for key in asked["keys"]]
        self.answer(200, json.dumps({"variants": found}).encode())

    def do_GET(self):
        if self.path != "/":
            return super().do_GET()
        user = SimpleCookie(self.headers.get("Cookie", "")).get("uid")
        key = user.value if user else f"nobody-{id(self)}"
        variant = self.variant("read_name", key, {"team": self.headers.get("X-Team", "")})
        failing = "bad" in self.version and variant == "new_read"
        return self.answer(500 if failing else 200, variant.encode(), {"X-Variant": variant})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"X-Version": self.version, "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def watching(folder):
    """What answers with the flags of a folder."""
    api.set_provider(FileProvider(Path(folder, "flags.json")))
    return Handler
