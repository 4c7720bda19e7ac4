"""Checks JSON values against the part of JSON Schema that web/openapi.json uses; any other word in it is a mistake."""
import datetime
import re

KNOWN = {"$ref", "description", "type", "properties", "required", "additionalProperties", "items", "enum", "format",
         "pattern", "minimum"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def resolve(document, schema):
    """What a {"$ref": "#/..."} stands for; anything else as it is."""
    while "$ref" in schema:
        at = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        schema = at
    return schema


def _is_of_type(value, name):
    if isinstance(name, list):
        return any(_is_of_type(value, one) for one in name)
    if name in ("integer", "number"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def _check_text(value, schema, where):
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} is not like {schema['pattern']}"
    if schema.get("format") == "date-time":
        try:
            datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            yield f"{where}: {value!r} is no time"


def faults(document, schema, value, where="$"):
    """Sentences about all that is wrong with the value."""
    schema = resolve(document, schema)
    if unknown := set(schema) - KNOWN:
        yield f"{where}: this checker does not know {unknown}"
    if not _is_of_type(value, schema["type"]):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where}: {value} is less than {schema['minimum']}"
    if isinstance(value, str):
        yield from _check_text(value, schema, where)
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from faults(document, schema["items"], item, f"{where}[{i}]")
    if isinstance(value, dict) and "properties" in schema:
        yield from _check_members(document, schema, value, where)


def _check_members(document, schema, value, where):
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, member in value.items():
        if name in schema["properties"]:
            yield from faults(document, schema["properties"][name], member, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{where}: {name} is not in the description"


def check_schema(document, schema, where="$"):
    """Is the schema itself whole? Objects close their lists of members, so that none can come unnoticed."""
    if "$ref" in schema:
        resolve(document, schema)
        return
    if "type" not in schema:
        yield f"{where}: no type"
    for name in schema.get("required", []):
        if name not in schema["properties"]:
            yield f"{where}: requires {name}, which it does not know"
    if "properties" in schema and schema.get("additionalProperties") is not False:
        yield f"{where}: takes any member"
    for name, member in schema.get("properties", {}).items():
        yield from check_schema(document, member, f"{where}.{name}")
    if "items" in schema:
        yield from check_schema(document, schema["items"], f"{where}[]")
