"""Makes a store of an older version of a store of this one: what that version knew stays.

Usage: downgrade.py SCHEMA DATABASE
"""

import os
import sqlite3
import sys

schema, path = sys.argv[1:]
older = path + ".older"
with open(schema, encoding="utf-8") as text:
    statements = text.read()
database = sqlite3.connect(older)
database.executescript(statements)
database.execute("ATTACH ? AS newer", (path,))
tables = database.execute(
    "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
)
for (table,) in tables.fetchall():
    columns = database.execute(f"SELECT name FROM main.pragma_table_info('{table}')")
    columns = ", ".join(name for (name,) in columns)
    database.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
application = database.execute("PRAGMA newer.application_id").fetchone()[0]
database.execute(f"PRAGMA main.application_id = {application}")
database.execute("PRAGMA main.user_version = 1")
database.commit()
database.execute("DETACH newer")
database.close()
os.replace(older, path)
