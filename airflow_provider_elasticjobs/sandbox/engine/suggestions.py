"""Rows of ``sp_describe_undeclared_parameters``: what drivers read before they send a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, SqlType
from airflow_provider_elasticjobs.sandbox.engine.system_types import max_length, precision_and_scale, system_type
from airflow_provider_elasticjobs.sandbox.engine.types import BIT, INT, INTEGERS, STRINGS, SYSNAME, declaration

SUGGESTION_COLUMNS: Final = tuple(
    Column(name, kind)
    for name, kind in (
        ("parameter_ordinal", INT), ("name", SYSNAME), ("suggested_system_type_id", INT),
        ("suggested_system_type_name", SYSNAME), ("suggested_max_length", SqlType("smallint")),
        ("suggested_precision", SqlType("tinyint")), ("suggested_scale", SqlType("tinyint")),
        ("suggested_user_type_id", INT), ("suggested_user_type_database", SYSNAME),
        ("suggested_user_type_schema", SYSNAME), ("suggested_user_type_name", SYSNAME),
        ("suggested_assembly_qualified_type_name", SqlType("nvarchar", 4000)),
        ("suggested_xml_collection_id", INT), ("suggested_xml_collection_database", SYSNAME),
        ("suggested_xml_collection_schema", SYSNAME), ("suggested_xml_collection_name", SYSNAME),
        ("suggested_is_xml_document", BIT), ("suggested_is_case_sensitive", BIT),
        ("suggested_is_fixed_length_clr_type", BIT), ("suggested_is_input", BIT), ("suggested_is_output", BIT),
        ("formal_parameter_name", SYSNAME), ("suggested_tds_type_id", INT), ("suggested_tds_length", INT),
        ("suggested_tds_collation_id", INT),
    )
)  # fmt: skip
_INPUT: Final = 19
_COLLATION_ID: Final = 13632521
_MAX_LENGTH: Final = 65535
_NULLABLE_TYPES: Final[Mapping[str, int]] = {
    "bit": 104, "tinyint": 38, "smallint": 38, "int": 38, "bigint": 38, "real": 109, "float": 109, "datetime": 111,
}  # fmt: skip
"""TDS types of values that may be NULL, where they differ from the catalog's type."""


def suggestion(ordinal: int, name: str, kind: SqlType) -> list[object]:
    """Return the row of one parameter.

    :param ordinal: 1-based
    :param name: with its ``@``
    :param kind: the suggested type
    """
    catalog_type = system_type(kind.name)
    bytes_needed = max_length(kind)
    precision, scale = (
        (0, 0) if kind.length is not None or kind.name == "uniqueidentifier" else precision_and_scale(kind)
    )
    row: list[object] = [None] * len(SUGGESTION_COLUMNS)
    row[:7] = [ordinal, name, catalog_type.system_type_id, declaration(kind), bytes_needed, precision, scale]
    row[_INPUT - 3 : _INPUT + 2] = [False, False, False, True, False]
    tds_length = _MAX_LENGTH if bytes_needed == -1 else 17 if kind.name == "decimal" else bytes_needed
    tds_type = _NULLABLE_TYPES.get(kind.name, catalog_type.system_type_id)
    row[-3:] = [tds_type, tds_length, _COLLATION_ID if kind.name in STRINGS else None]
    if kind.name in INTEGERS:
        row[6] = 0
    return row
