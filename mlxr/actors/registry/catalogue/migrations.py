"""The catalogue's schema, as an ordered list of steps. Only ever append: databases out there have run the earlier
ones."""

from __future__ import annotations

import aiosqlite


async def m001_models(db: aiosqlite.Connection) -> None:
    await db.execute(
        """
        CREATE TABLE blobs (
            digest TEXT PRIMARY KEY,
            path TEXT NOT NULL,          -- relative to HOME/models where it lies there
            size INTEGER NOT NULL,
            facts TEXT NOT NULL,         -- JSON of ModelInfo
            facts_version INTEGER NOT NULL
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE models (
            name TEXT PRIMARY KEY,       -- as it was given
            key TEXT NOT NULL UNIQUE,    -- what look-ups compare
            digest TEXT NOT NULL REFERENCES blobs (digest),
            source TEXT NOT NULL,
            modified REAL NOT NULL,
            overrides TEXT NOT NULL      -- JSON of Overrides
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE aliases (
            key TEXT PRIMARY KEY,
            alias TEXT NOT NULL,
            model TEXT NOT NULL REFERENCES models (key) ON DELETE CASCADE
        )
        """
    )


async def m002_local_files(db: aiosqlite.Connection) -> None:
    """Hashing a large file takes seconds: remember what was hashed until the file changes."""
    await db.execute(
        """
        CREATE TABLE local_files (
            path TEXT PRIMARY KEY,
            size INTEGER NOT NULL,
            changed_ns INTEGER NOT NULL,
            digest TEXT NOT NULL
        )
        """
    )


async def m003_local_facts(db: aiosqlite.Connection) -> None:
    """What is remembered of a local file includes its facts, and tells a file from another one of that size and age."""
    await db.execute("DROP TABLE local_files")
    await db.execute(
        """
        CREATE TABLE local_files (
            path TEXT PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            digest TEXT NOT NULL,
            facts TEXT NOT NULL,         -- JSON of ModelInfo
            facts_version INTEGER NOT NULL
        )
        """
    )


async def m004_files_in_place(db: aiosqlite.Connection) -> None:
    """Files may stay in another tool's store, where they can change or vanish."""
    await db.execute("ALTER TABLE blobs ADD COLUMN tool TEXT NOT NULL DEFAULT ''")
    await db.execute("ALTER TABLE blobs ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''")


MIGRATIONS = (m001_models, m002_local_files, m003_local_facts, m004_files_in_place)
