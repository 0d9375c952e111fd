"""Questions about rows of other tables, written past most of the ORM's machinery: a page of an audience asks several,
and the ORM takes longer to write an Exists than PostgreSQL to answer it."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import BooleanField, Expression, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col

from audience.models import Patient
from trackstat.tenancy.scope import current_practice_id


class _Asked(Expression):
    """Of the patient's `column`, something about rows of another table: of a queryset, or of the practice's rows of a
    model that meet all `conditions` (column__lookup=value, without joins). Only in queries of patients: it names their
    columns itself."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, rows: QuerySet | type[Model], **conditions: Any) -> None:
        super().__init__()
        self._column = _column_of(Patient, column)
        if isinstance(rows, QuerySet):
            assert not conditions, "a queryset has its own"
            self._model, self._rows = rows.model, rows
        else:
            assert None not in conditions.values(), "say column__isnull"
            self._model, self._rows = rows, None
            self._conditions = {"practice_id": current_practice_id()} | conditions

    def get_source_expressions(self) -> list[Any]:
        return [self._column]

    def set_source_expressions(self, exprs: Any) -> None:
        [self._column] = exprs

    def resolve_expression(self, *args: Any, **kwargs: Any) -> "_Asked":
        """Nothing is to be found out; where the patients' table gets another name, `relabeled_clone` follows."""
        return self

    def _written(self, compiler: Any, connection: Any) -> tuple[str, str, list[Any]]:
        """Table, condition and its parameters."""
        table = self._model._meta.db_table
        try:
            where, params = self._where(table, compiler, connection)
        except EmptyResultSet:
            where, params = "false", []
        return connection.ops.quote_name(table), where, params

    def _where(self, table: str, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        if self._rows is None:
            written = [compiler.compile(_lookup(self._model, *each)) for each in self._conditions.items()]
            return " AND ".join(sql for sql, _ in written), [one for _, some in written for one in some]
        query = self._rows.query
        used = [alias for alias, uses in query.alias_refcount.items() if uses]
        assert used == [table] and not query.is_sliced and not query.combinator, "rows of one table"
        where, params = query.get_compiler(connection=connection).compile(query.where)
        return where, list(params)

    def _name(self, field: str, connection: Any) -> str:
        return connection.ops.quote_name(self._model._meta.get_field(field).column)


class HasOne(_Asked):
    """The patient has one of these rows, as Exists(rows.filter(patient=OuterRef("pk"))) asks.

    Not for patients themselves: the table keeps its name.
    """

    def __init__(self, rows: QuerySet | type[Model], **conditions: Any) -> None:
        super().__init__("id", rows, **conditions)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        table, where, params = self._written(compiler, connection)
        patient, more = compiler.compile(self._column)
        theirs = self._name("patient", connection)
        return f"EXISTS (SELECT FROM {table} WHERE {where} AND {table}.{theirs} = {patient})", [*params, *more]


class IsAddress(_Asked):
    """The patient's `column` is the address of one of these rows, as column__in=rows.values("address") asks."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        table, where, params = self._written(compiler, connection)
        column, more = compiler.compile(self._column)
        address = self._name("address", connection)
        return f"{column} IN (SELECT {table}.{address} FROM {table} WHERE {where})", [*more, *params]


class IsAddressOfFew(IsAddress):
    """The same, to be asked of few patients: each is looked up, where IsAddress first reads all the addresses."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        table, where, params = self._written(compiler, connection)
        column, more = compiler.compile(self._column)
        address = self._name("address", connection)
        return f"EXISTS (SELECT FROM {table} WHERE {where} AND {table}.{address} = {column})", [*params, *more]


def _lookup(model: type[Model], condition: str, value: Any) -> Any:
    name, _, kind = condition.partition(LOOKUP_SEP)
    column = _column_of(model, name)
    return column.target.get_lookup(kind or "exact")(column, value)


def _column_of(model: type[Model], name: str) -> Any:
    field: Any = model._meta.get_field(name)
    return Col(model._meta.db_table, field)
