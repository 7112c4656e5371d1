# ruff: noqa: ARG002 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: SLF001 - entries of a table beside the class
"""Executes CREATE, ALTER and DROP of schema objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.catalog import ObjectInfo, physical_name, quote
from airflow_provider_elasticjobs.sandbox.engine.catalog_write import CatalogWriter
from airflow_provider_elasticjobs.sandbox.engine.compiler import compile_view
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.exec_alter import TableAlteration
from airflow_provider_elasticjobs.sandbox.engine.exec_tables import TableBuilder
from airflow_provider_elasticjobs.sandbox.engine.interface import ResultSink
from airflow_provider_elasticjobs.sandbox.engine.types import INT

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

_WORDS: Final[Mapping[str, str]] = {"TABLE": "U", "VIEW": "V", "PROCEDURE": "P"}


class DefinitionExecution:
    """Executes statements that change the schema, for one session."""

    def __init__(self, session: EngineSession, execution: Execution) -> None:
        self._session = session
        self._writer = CatalogWriter(session)
        self._builder = TableBuilder(session)
        self._alteration = TableAlteration(session)

    def run(self, statement: s.Statement, sink: ResultSink) -> None:
        """Execute one statement, wholly or not at all."""
        session = self._session
        session.transactions.begin_implicitly()
        if isinstance(statement, d.CreateTable) and statement.name.name.startswith("#"):
            self.create_table(statement)
        else:
            session.security.require_ddl(_permission(statement), _schema_of(statement))
            with session.transactions.writing():
                _ACTIONS[type(statement)](self, statement)
                self._writer.bump()
        session.state.rowcount = 0
        sink.done(None, "")

    def create_table(self, statement: d.CreateTable) -> None:
        """Create a table, temporary or not."""
        self._check_name(statement.name)
        name = statement.name.name
        if name.startswith("#"):
            if self._session.temporary_table(name) is not None:
                raise sql_error(2714, name)
            self._builder.temporary(name, statement.definition)
            return
        self._builder.create(statement.name, statement.definition)

    def declare_table(self, statement: s.DeclareTable) -> None:
        """Create the table of a table variable."""
        frame = self._session.frame
        frame.tables[statement.name] = self._builder.temporary(statement.name, statement.definition)

    def _check_name(self, name: s.ObjectName) -> None:
        if name.name.startswith("##"):
            raise unsupported("global temporary table")
        if name.server or (name.database and name.database.lower() not in (self._session.database.lower(), "tempdb")):
            raise sql_error(40515, name)

    def _alter_table(self, statement: d.AlterTable) -> None:
        self._alteration.run(statement)

    def _create_index(self, statement: d.CreateIndex) -> None:
        table = self._session.table(statement.table)
        if table.kind == "T":
            raise unsupported("CREATE INDEX on a temporary table")
        if table.kind != "U":
            raise unsupported("CREATE INDEX on a view")
        if any(
            index.name.lower() == statement.name.lower() for index in self._session.catalog.indexes(table.object_id)
        ):
            raise sql_error(1913, statement.name, "table", f"{table.schema}.{table.name}")
        self._writer.add_index(
            table, statement.name, statement.columns, unique=statement.unique, clustered=statement.clustered,
            included=statement.included, condition=statement.condition,
        )  # fmt: skip
        self._builder.create_index(
            table, statement.name, statement.columns, unique=statement.unique, condition=statement.condition
        )

    def _existing(self, name: s.ObjectName, kind: str, verb: str) -> ObjectInfo | None:
        self._check_name(name)
        found = self._session.catalog.find(name.schema or "dbo", name.name)
        if found is None:
            if verb == "ALTER":
                raise sql_error(208, name)
            return None
        if verb == "CREATE":
            raise sql_error(2714, name.name)
        if found.type != kind:
            raise sql_error(2010, name)
        return found

    def _create_view(self, statement: d.CreateView) -> None:
        found = self._existing(statement.name, "V", statement.verb)
        schema = found.schema if found is not None else statement.name.schema or "dbo"
        schema_id = self._writer.schema_id(schema)
        text, columns = compile_view(self._session, statement.body, statement.columns)
        for number, (name, _) in enumerate(columns, 1):
            if not name:
                raise SqlError(
                    4511, f"Create View or Function failed because no column name was specified for column {number}."
                )
        physical = physical_name(schema, found.name if found is not None else statement.name.name)
        if found is not None:
            self._writer.change_definition(found, statement.definition)
            self._session.run(f"DROP VIEW {physical}")
            view_id = found.object_id
        else:
            view_id = self._writer.add_object(schema_id, statement.name.name, "V", definition=statement.definition)
        for number, (name, kind) in enumerate(columns, 1):
            self._writer.add_column(
                view_id, schema_id, statement.name.name, number, d.ColumnDefinition(name, kind or INT)
            )
        names = ", ".join(quote(name) for name, _ in columns)
        self._session.run(f"CREATE VIEW {physical} ({names}) AS {text}")

    def _create_procedure(self, statement: d.CreateProcedure) -> None:
        found = self._existing(statement.name, "P", statement.verb)
        schema_id = found.schema_id if found is not None else self._writer.schema_id(statement.name.schema or "dbo")
        if found is not None:
            self._writer.change_definition(found, statement.definition)
            procedure_id = found.object_id
        else:
            procedure_id = self._writer.add_object(schema_id, statement.name.name, "P", definition=statement.definition)
        self._writer.add_parameters(procedure_id, statement.parameters)

    def _create_schema(self, statement: d.CreateSchema) -> None:
        if self._session.catalog.schema_id(statement.name) is not None:
            raise sql_error(2714, statement.name)
        security = self._session.security
        self._session.connection.execute(
            'INSERT INTO "sys$schemas" SELECT max(4, max(schema_id)) + 1, ?, ? FROM "sys$schemas"',
            (statement.name, security.principal_id(security.user_name) or 1),
        )

    def _drop(self, statement: d.Drop) -> None:
        if statement.kind == "SCHEMA":
            for name in statement.names:
                self._drop_schema(name.name, statement.if_exists)
        elif statement.kind == "INDEX":
            self._drop_index(statement)
        else:
            for name in statement.names:
                self._drop_object(name, statement.kind, statement.if_exists)

    def _drop_object(self, name: s.ObjectName, kind: str, if_exists: bool) -> None:
        if name.name.startswith("#"):
            if self._session.temporary_table(name.name) is None and not if_exists:
                raise sql_error(3701, kind.lower(), name.name)
            self._session.drop_temporary(name.name)
            return
        self._check_name(name)
        found = self._session.catalog.find(name.schema or "dbo", name.name)
        if found is None or found.type != _WORDS[kind]:
            if if_exists and found is None:
                return
            raise sql_error(3701, kind.lower(), name)
        if kind == "TABLE":
            references = self._session.catalog.foreign_keys(referenced_id=found.object_id)
            if any(key.table_id != found.object_id for key in references):
                raise sql_error(3726, name)
        self._writer.remove_object(found.object_id)
        if kind != "PROCEDURE":
            self._session.run(f"DROP {kind} {physical_name(found.schema, found.name)}")

    def _drop_schema(self, name: str, if_exists: bool) -> None:
        schema_id = self._session.catalog.schema_id(name)
        if schema_id is None:
            if if_exists:
                return
            raise sql_error(15151, "schema", name)
        row = self._session.run('SELECT name FROM "sys$objects" WHERE schema_id = ? LIMIT 1', (schema_id,)).fetchone()
        if row is not None:
            raise sql_error(3729, "schema", name, row[0])
        self._session.connection.execute('DELETE FROM "sys$schemas" WHERE schema_id = ?', (schema_id,))

    def _drop_index(self, statement: d.Drop) -> None:
        target = statement.table or s.ObjectName("")
        table = self._session.catalog.table(target.schema or "dbo", target.name)
        for name in statement.names:
            indexes = self._session.catalog.indexes(table.object_id) if table is not None else []
            found = next((each for each in indexes if each.name.lower() == name.name.lower()), None)
            if table is None or found is None:
                if statement.if_exists:
                    continue
                raise sql_error(3701, "index", f"{target}.{name.name}")
            if found.is_primary_key or found.is_unique_constraint:
                raise SqlError(
                    3723,
                    f"An explicit DROP INDEX is not allowed on index '{target}.{name.name}'. It is being used for constraint enforcement.",
                )
            self._writer.remove_index(table.object_id, found.index_id)
            self._session.run(f"DROP INDEX {quote(f'{table.object_id}.{found.name}')}")


def _permission(statement: s.Statement) -> str:
    words = {
        d.CreateTable: "CREATE TABLE",
        d.CreateView: "CREATE VIEW",
        d.CreateProcedure: "CREATE PROCEDURE",
        d.CreateSchema: "CREATE SCHEMA",
    }
    return words.get(type(statement), "ALTER")


def _schema_of(statement: Any) -> str | None:
    """Return the schema that a statement changes something in; None for one that makes a schema."""
    if isinstance(statement, d.CreateSchema):
        return None
    if isinstance(statement, d.Drop):
        name = statement.table or statement.names[0]
        return name.name if statement.kind == "SCHEMA" else name.schema or "dbo"
    name = statement.table if isinstance(statement, d.CreateIndex) else statement.name
    return name.schema or "dbo"


_ACTIONS: Final[Mapping[type[s.Statement], Callable[[DefinitionExecution, Any], None]]] = {
    d.CreateTable: DefinitionExecution.create_table, d.AlterTable: DefinitionExecution._alter_table,
    d.CreateIndex: DefinitionExecution._create_index, d.CreateView: DefinitionExecution._create_view,
    d.CreateProcedure: DefinitionExecution._create_procedure, d.CreateSchema: DefinitionExecution._create_schema,
    d.Drop: DefinitionExecution._drop,
}  # fmt: skip
