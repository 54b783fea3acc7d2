import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { settings } from './settings.js';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  email TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE IF NOT EXISTS files (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  filename TEXT NOT NULL,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  stored TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS notes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
`;

mkdirSync(dirname(settings.databasePath), { recursive: true });
const db = new Database(settings.databasePath);
db.pragma('journal_mode = WAL');
db.pragma('busy_timeout = 10000');
db.pragma('foreign_keys = ON');
db.exec(SCHEMA);

export function all(sql, ...values) {
  return db.prepare(sql).all(...values);
}

/** Not libsql's `get`, which puts a field of its own into the row. */
export function one(sql, ...values) {
  return all(sql, ...values)[0];
}

export function run(sql, ...values) {
  const { changes, lastInsertRowid } = db.prepare(sql).run(...values);
  return { changes, id: Number(lastInsertRowid) };
}

export function isDuplicate(error) {
  return error.code === 'SQLITE_CONSTRAINT_UNIQUE';
}
