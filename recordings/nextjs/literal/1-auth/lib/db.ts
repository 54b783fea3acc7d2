import fs from 'fs';
import path from 'path';
import Database from 'libsql';

let db: Database.Database | undefined;

export function getDb() {
  if (!db) {
    const file = process.env.DATABASE_PATH || 'app.db';
    fs.mkdirSync(path.dirname(file), { recursive: true });
    db = new Database(file);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT)');
  }
  return db;
}
