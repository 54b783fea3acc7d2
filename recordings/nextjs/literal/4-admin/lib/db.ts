import fs from 'fs';
import path from 'path';
import Database from 'libsql';
import { hashPassword } from './password';

let db: Database.Database | undefined;

export function getDb() {
  if (!db) {
    const file = process.env.DATABASE_PATH || 'app.db';
    fs.mkdirSync(path.dirname(file), { recursive: true });
    db = new Database(file);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT, role TEXT)');
    db.exec(
      'CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, user_id INTEGER, filename TEXT, content_type TEXT, size INTEGER)',
    );
    db.exec(
      "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, body TEXT, created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))",
    );
    const email = process.env.ADMIN_EMAIL;
    const password = process.env.ADMIN_PASSWORD;
    if (email && password && !db.prepare('SELECT id FROM users WHERE email = ?').get(email)) {
      db.prepare("INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')").run(email, hashPassword(password));
    }
  }
  return db;
}
