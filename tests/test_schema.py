# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from made import campaign

from difftest.assemble import result_of
from difftest.result import Result, encode
from difftest.schema import PATH, schema


def rendered() -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(encode(result_of(campaign())))
    return printed


def published() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(PATH.read_text(encoding="utf-8")))


def test_the_published_schema_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == schema(), "run: python -m difftest.schema"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))


def test_a_result_follows_it() -> None:
    published().validate(rendered())


def test_an_empty_result_follows_it() -> None:
    parts = campaign()
    parts.every, parts.texts = [], {}
    published().validate(json.loads(encode(result_of(parts))))


@pytest.mark.parametrize("field", Result.__struct_encode_fields__)
def test_every_field_must_be_there(field: str) -> None:
    printed = rendered()
    del printed[field]
    with pytest.raises(jsonschema.ValidationError, match=f"'{field}' is a required property"):
        published().validate(printed)


def test_a_cell_says_pass_and_fail() -> None:
    cell = rendered()["cells"][0]
    assert {"runs", "reached", "pass", "fail", "unknown", "upper_bound"} <= cell.keys()


def test_another_schema_is_refused() -> None:
    with pytest.raises(jsonschema.ValidationError):
        published().validate(rendered() | {"schema": "difftest-result-2"})


def test_what_is_printed_can_be_read_back() -> None:
    result = result_of(campaign())
    assert msgspec.json.decode(encode(result), type=Result) == result
