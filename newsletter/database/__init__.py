"""The database: engine, base class and types, transactions, stored files, migrations."""
