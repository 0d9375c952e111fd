"""Migration operations that put a table behind the practice's wall, see docs/architecture.md."""

from django.db.migrations.operations.base import Operation
from django.db.models import Model

from trackstat.tenancy.fields import PracticeForeignKey

APP, ACROSS = "trackstat_app", "trackstat_across"
OWN_ROWS = "practice_id = nullif(current_setting('trackstat.practice', true), '')::bigint"


class Isolate(Operation):
    """Row-level security, unique (practice_id, id) and composite foreign keys for one model.

    `across`: privileges (e.g. "SELECT") the cross-practice role gets; nothing by default.
    `also`: an extra condition under which rows may be seen (never written).
    `append_only`: the application may insert and read, never change or delete.
    """

    reversible = True

    def __init__(self, model_name: str, across: str = "", also: str = "", append_only: bool = False):
        self.model_name, self.across, self.also, self.append_only = model_name, across, also, append_only

    def deconstruct(self):
        kwargs = {"model_name": self.model_name, "across": self.across, "also": self.also}
        return self.__class__.__qualname__, [], kwargs | {"append_only": self.append_only}

    def state_forwards(self, app_label, state):
        pass

    def describe(self):
        return f"Put {self.model_name} behind its practice's wall"

    @property
    def migration_name_fragment(self):
        return f"isolate_{self.model_name.lower()}"

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        for statement in self._statements(model):
            schema_editor.execute(statement)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table
        for name in ("practice_rows", "across_rows"):
            schema_editor.execute(f'DROP POLICY IF EXISTS {name} ON "{table}"')
        for field in composite_foreign_keys(model):
            schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{foreign_key_name(table, field.column)}"')
        schema_editor.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
        schema_editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_practice_id_id" CASCADE')

    def _statements(self, model: type[Model]):
        table = model._meta.db_table
        yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'
        yield f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY'
        seen = f"({OWN_ROWS}) OR ({self.also})" if self.also else OWN_ROWS
        yield f'CREATE POLICY practice_rows ON "{table}" TO {APP} USING ({seen}) WITH CHECK ({OWN_ROWS})'
        if self.across:
            yield f'CREATE POLICY across_rows ON "{table}" TO {ACROSS} USING (true) WITH CHECK (true)'
            yield f'GRANT {self.across} ON "{table}" TO {ACROSS}'
        if self.append_only:
            yield f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}'
        yield f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_practice_id_id" UNIQUE (practice_id, id)'
        for field in composite_foreign_keys(model):
            yield composite_foreign_key(table, field.column, field.related_model._meta.db_table)


class LinkWithinPractice(Operation):
    """A composite foreign key for a plain id column whose target lives in an app further down the line of imports."""

    reversible = True

    def __init__(self, table: str, column: str, to_table: str):
        self.table, self.column, self.to_table = table, column, to_table

    def deconstruct(self):
        return self.__class__.__qualname__, [self.table, self.column, self.to_table], {}

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(composite_foreign_key(self.table, self.column, self.to_table))

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        name = foreign_key_name(self.table, self.column)
        schema_editor.execute(f'ALTER TABLE "{self.table}" DROP CONSTRAINT "{name}"')

    def describe(self):
        return f"Keep {self.table}.{self.column} within its practice"


def composite_foreign_keys(model: type[Model]) -> list[PracticeForeignKey]:
    return [field for field in model._meta.local_fields if isinstance(field, PracticeForeignKey)]


def foreign_key_name(table: str, column: str) -> str:
    return f"{table}_{column}_practice_fk"[:63]


def composite_foreign_key(table: str, column: str, to_table: str) -> str:
    return (
        f'ALTER TABLE "{table}" ADD CONSTRAINT "{foreign_key_name(table, column)}" '
        f'FOREIGN KEY (practice_id, "{column}") REFERENCES "{to_table}" (practice_id, id) '
        "DEFERRABLE INITIALLY IMMEDIATE"
    )
