"""The schema of chats, as an ordered list of steps. Only ever append: databases out there have run the earlier ones."""

from __future__ import annotations

import aiosqlite


async def m001_chats(db: aiosqlite.Connection) -> None:
    await db.execute(
        """
        CREATE TABLE folders (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE chats (
            id TEXT PRIMARY KEY,
            folder TEXT REFERENCES folders (id) ON DELETE SET NULL,
            archived INTEGER NOT NULL,
            updated REAL NOT NULL,
            deleted REAL,
            body TEXT NOT NULL           -- JSON of Chat
        )
        """
    )
    await db.execute("CREATE INDEX chats_by_time ON chats (updated DESC, id DESC)")
    await db.execute(
        """
        CREATE TABLE messages (
            number INTEGER PRIMARY KEY,  -- in the order in which they were made
            id TEXT NOT NULL UNIQUE,
            chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
            open INTEGER NOT NULL,       -- an answer on its way
            body TEXT NOT NULL           -- JSON of ChatTurn
        )
        """
    )
    await db.execute("CREATE INDEX messages_by_chat ON messages (chat, number)")
    await db.execute(
        """
        CREATE TABLE runs (
            message TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            body BLOB NOT NULL           -- MessagePack of Run
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE pieces (
            message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            start INTEGER NOT NULL,      -- tokens before it
            body BLOB NOT NULL,          -- MessagePack of Piece
            PRIMARY KEY (message, start)
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE presets (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL           -- JSON of Preset
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE attachments (
            digest TEXT PRIMARY KEY,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            created REAL NOT NULL,
            data BLOB NOT NULL
        )
        """
    )
    await db.execute(
        """
        CREATE TABLE uses (
            digest TEXT NOT NULL,
            message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            PRIMARY KEY (digest, message)
        )
        """
    )
    await db.execute(
        """
        CREATE VIRTUAL TABLE search USING fts5 (
            text, chat UNINDEXED, message UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
        )
        """
    )


async def m002_temporary(db: aiosqlite.Connection) -> None:
    await db.execute("ALTER TABLE chats ADD COLUMN temporary INTEGER NOT NULL DEFAULT 0")


async def m003_prompts(db: aiosqlite.Connection) -> None:
    await db.execute(
        """
        CREATE TABLE prompts (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL           -- JSON of SavedPrompt
        )
        """
    )


MIGRATIONS = (m001_chats, m002_temporary, m003_prompts)
