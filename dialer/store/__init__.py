"""The store: named SQL on SQLite (aiosqlite) or PostgreSQL (asyncpg), one set of queries."""
