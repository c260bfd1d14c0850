"""Instants straight from the database as whole Unix milliseconds: for answers of ten thousands of rows, where making a
`datetime` of each would cost more than the query."""

from __future__ import annotations

from django.db.models import BigIntegerField, Func


class UnixMs(Func):
    """Unix time of a datetime column in whole milliseconds, rounded down; null stays null. From 1970 on."""

    output_field = BigIntegerField()
    arity = 1

    def get_db_converters(self, connection):
        return []  # both databases give an integer: 50,000 calls of `int` would only cost time

    def as_postgresql(self, compiler, connection, **context):
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler, connection, **context):
        # Kept as text: `2026-03-01 12:00:00`, then a point and six digits where these aren't all zero.
        expressions, params = compiler.compile(self.source_expressions[0])
        seconds = f"CAST(strftime('%%s', substr({expressions}, 1, 19)) AS INTEGER)"
        return f"({seconds} * 1000 + CAST(substr({expressions} || '.000', 21, 3) AS INTEGER))", [*params, *params]
