"""JSON schemas: of answers, and of tools' parameters in every family's format."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz.asked import AskedKind
from tests.fuzz.mutations import EXTREMES, mutated_json, written_json

VALID: tuple[Any, ...] = (
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 9}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
        "additionalProperties": False,
    },
    {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}}}}},
    {"anyOf": [{"type": "null"}, {"type": "array", "items": {"enum": ["a", "b", 1]}, "minItems": 1, "maxItems": 3}]},
    {"type": "object", "patternProperties": {"^x[a-z]*$": {"type": "number"}}, "allOf": [{"required": ["x"]}]},
    {"type": "string", "pattern": "^(a|b)+$", "format": "date-time"},
    {"oneOf": [{"const": {"a": [1]}}, {"type": "boolean"}], "title": "T", "description": "d", "default": None},
)  # fmt: skip
PATTERNS = (
    "(a|b){400}c*$",
    "^(a+)+$",
    "a{1,100000}",
    "(?=a)",
    "[",
    "\\d{1000}{1000}",
    "(a?){500}a{500}",
    "\\p{Greek}",
    ".*" * 200,
)
WORDS = (
    "uniqueItems", "propertyNames", "not", "if", "contains", "dependentSchemas", "prefixItems", "$dynamicRef", "$id",
    "x-guidance", "minProperties", "multipleOf", "exclusiveMinimum", "unevaluatedProperties", "nullable",
)  # fmt: skip


class Schemas(AskedKind):
    """A case is the name of a family of templates, empty for an answer's schema, and in the next line the schema."""

    def make(self, random: Random) -> bytes:
        schema: Any
        if random.random() < 0.02:
            schema = random.choice((chain, wide, alternatives, mutual))(random)
        else:
            schema = mutated_json(random, random.choice(VALID), (pattern, bound, reference, keyword, bounds))
        family = random.choice(sorted(self.asked.families)) if random.random() < 0.02 else ""
        return f"{family}\n{written_json(random, schema)}".encode()

    def read(self, data: bytes) -> None:
        family, _, schema = data.decode().partition("\n")
        if family:
            self.asked.tools(family, schema.encode())
        else:
            self.asked.answer("json_schema", schema)


def chain(random: Random) -> Any:
    """``$ref``s that lead from one to the next, through each keyword that may hold one."""
    length = random.choice((10, 100, 400, 1000, 1500, 3000))
    kind = random.choice(("bare", "properties", "items", "anyOf", "allOf", "additionalProperties", "prefixItems"))
    definitions: dict[str, Any] = {}
    for i in range(length):
        next_one: Any = {"$ref": f"#/$defs/d{i + 1}"}
        if kind in ("properties",):
            next_one = {"type": "object", "properties": {"a": next_one}, "required": ["a"]}
        elif kind in ("anyOf", "allOf"):
            next_one = {kind: [next_one, {"type": "null"}]}
        elif kind == "prefixItems":
            next_one = {"type": "array", kind: [next_one]}
        elif kind != "bare":
            next_one = {"type": "array" if kind == "items" else "object", kind: next_one}
        definitions[f"d{i}"] = next_one
    definitions[f"d{length}"] = random.choice(({"type": "string"}, {"$ref": "#/$defs/d0"}, True))
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def wide(random: Random) -> Any:
    count = random.choice((100, 1000, 10_000))
    optional = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(count)}}
    return (
        {**optional, "required": list(optional["properties"])[:: random.choice((1, 7))]}
        if random.random() < 0.5
        else optional
    )


def alternatives(random: Random) -> Any:
    count = random.choice((100, 1000, 20_000))
    if random.random() < 0.5:
        return {"enum": [f"word {i} {random.random()}" for i in range(count)]}
    return {
        random.choice(("anyOf", "oneOf", "allOf")): [
            {"type": "object", "properties": {f"a{i}": {}}} for i in range(count // 10)
        ]
    }


def mutual(random: Random) -> Any:
    count = random.choice((2, 20, 200))
    names = [f"d{i}" for i in range(count)]
    some = {name: {"anyOf": [{"$ref": f"#/$defs/{random.choice(names)}"} for _ in range(3)]} for name in names}
    return {"$defs": some, "$ref": "#/$defs/d0"}


def pattern(random: Random) -> Any:
    text = random.choice(PATTERNS)
    return random.choice(({"type": "string", "pattern": text}, {"type": "object", "patternProperties": {text: {}}}))


def bound(random: Random) -> Any:
    name = random.choice(("minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems"))
    return {name: random.choice((*EXTREMES, -1, -1.5, 1e-300, 1e308, 0.1))}


def bounds(random: Random) -> Any:
    return {"type": random.choice(("integer", "number")), **bound(random), **bound(random)}


def reference(random: Random) -> Any:
    return {
        "$ref": random.choice(
            ("#", "#/$defs/A", "#/nope", "http://127.0.0.1:1/x", "file:///etc/passwd", "#/%", "", "#a")
        )
    }


def keyword(random: Random) -> Any:
    return {random.choice(WORDS): random.choice((True, [], {}, 1, {"type": "string"}, [{"type": "null"}], "x"))}
