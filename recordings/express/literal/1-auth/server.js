import { createHash } from 'crypto';
import fs from 'fs';
import path from 'path';
import express from 'express';
import jwt from 'jsonwebtoken';
import Database from 'libsql';

const DATABASE_PATH = process.env.DATABASE_PATH || 'app.db';
const JWT_SECRET = process.env.JWT_SECRET || 'secret';

fs.mkdirSync(path.dirname(DATABASE_PATH), { recursive: true });

const db = new Database(DATABASE_PATH);
db.pragma('journal_mode = WAL');
db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT)');

const app = express();
app.use(express.json());

function hashPassword(password) {
  return createHash('sha256').update(password).digest('hex');
}

function makeToken(userId) {
  return jwt.sign({ sub: String(userId) }, JWT_SECRET);
}

function requireUser(req, res, next) {
  const token = (req.headers.authorization || '').replace('Bearer ', '');
  let payload;
  try {
    payload = jwt.verify(token, JWT_SECRET);
  } catch {
    return res.status(401).json({ error: 'Not signed in' });
  }
  req.user = db.prepare('SELECT * FROM users WHERE id = ?').get(payload.sub);
  if (!req.user) {
    return res.status(401).json({ error: 'Not signed in' });
  }
  next();
}

app.get('/api/health', (req, res) => {
  res.json({ status: 'ok' });
});

app.post('/api/auth/register', (req, res) => {
  const { email, password } = req.body;
  if (typeof email !== 'string' || typeof password !== 'string') {
    return res.status(400).json({ error: 'Email and password are required' });
  }
  if (db.prepare('SELECT id FROM users WHERE email = ?').get(email)) {
    return res.status(409).json({ error: 'Email already registered' });
  }
  const result = db.prepare('INSERT INTO users (email, password) VALUES (?, ?)').run(email, hashPassword(password));
  res.status(201).json({ token: makeToken(result.lastInsertRowid) });
});

app.post('/api/auth/login', (req, res) => {
  const { email, password } = req.body;
  if (typeof email !== 'string' || typeof password !== 'string') {
    return res.status(400).json({ error: 'Email and password are required' });
  }
  const user = db.prepare('SELECT * FROM users WHERE email = ?').get(email);
  if (!user || user.password !== hashPassword(password)) {
    return res.status(401).json({ error: 'Wrong email or password' });
  }
  res.json({ token: makeToken(user.id) });
});

app.get('/api/auth/me', requireUser, (req, res) => {
  res.json({ id: req.user.id, email: req.user.email });
});

app.listen(process.env.PORT || 8000, '0.0.0.0');
