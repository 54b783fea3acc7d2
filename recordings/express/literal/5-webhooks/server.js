import { createHash, createHmac } from 'crypto';
import fs from 'fs';
import path from 'path';
import express from 'express';
import jwt from 'jsonwebtoken';
import Database from 'libsql';
import multer from 'multer';

const DATABASE_PATH = process.env.DATABASE_PATH || 'app.db';
const UPLOAD_DIR = process.env.UPLOAD_DIR || 'uploads';
const JWT_SECRET = process.env.JWT_SECRET || 'secret';
const WEBHOOK_SECRET = process.env.WEBHOOK_SECRET || '';

fs.mkdirSync(path.dirname(DATABASE_PATH), { recursive: true });
fs.mkdirSync(UPLOAD_DIR, { recursive: true });

const db = new Database(DATABASE_PATH);
db.pragma('journal_mode = WAL');
db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT, role TEXT)');
db.exec(
  'CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, user_id INTEGER, filename TEXT, content_type TEXT, size INTEGER)',
);
db.exec(
  "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, body TEXT, created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))",
);
db.exec('CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT, data TEXT)');

const { ADMIN_EMAIL, ADMIN_PASSWORD } = process.env;
if (ADMIN_EMAIL && ADMIN_PASSWORD && !db.prepare('SELECT id FROM users WHERE email = ?').get(ADMIN_EMAIL)) {
  db.prepare("INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')").run(
    ADMIN_EMAIL,
    hashPassword(ADMIN_PASSWORD),
  );
}

const app = express();
app.use(
  express.json({
    verify: (req, res, buf) => {
      req.rawBody = buf;
    },
  }),
);

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
  const result = db
    .prepare("INSERT INTO users (email, password, role) VALUES (?, ?, 'user')")
    .run(email, hashPassword(password));
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
  res.json({ id: req.user.id, email: req.user.email, role: req.user.role });
});

const ALLOWED = ['.png', '.jpg', '.jpeg', '.pdf', '.txt'];
const MAX_SIZE = 5 * 1024 * 1024;
const upload = multer({ storage: multer.memoryStorage() });

// A folder for each file, because two files may have the same name.
function fileFolder(id) {
  return path.join(UPLOAD_DIR, String(id));
}

function getFile(req) {
  return db.prepare('SELECT * FROM files WHERE id = ? AND user_id = ?').get(req.params.id, req.user.id);
}

app.post('/api/files', requireUser, upload.single('file'), (req, res) => {
  const file = req.file;
  if (!file) {
    return res.status(400).json({ error: 'No file' });
  }
  if (!ALLOWED.some((extension) => file.originalname.toLowerCase().endsWith(extension))) {
    return res.status(400).json({ error: 'File type not allowed' });
  }
  if (file.size > MAX_SIZE) {
    return res.status(400).json({ error: 'File too large' });
  }
  const result = db
    .prepare('INSERT INTO files (user_id, filename, content_type, size) VALUES (?, ?, ?, ?)')
    .run(req.user.id, file.originalname, file.mimetype, file.size);
  const folder = fileFolder(result.lastInsertRowid);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, file.originalname), file.buffer);
  res.status(201).json({ id: result.lastInsertRowid, filename: file.originalname, size: file.size });
});

app.get('/api/files', requireUser, (req, res) => {
  const files = db.prepare('SELECT id, filename, size FROM files WHERE user_id = ?').all(req.user.id);
  res.json({ files });
});

app.get('/api/files/:id', requireUser, (req, res) => {
  const file = getFile(req);
  if (!file) {
    return res.status(404).json({ error: 'File not found' });
  }
  res.type(file.content_type);
  res.send(fs.readFileSync(path.join(fileFolder(file.id), file.filename)));
});

app.delete('/api/files/:id', requireUser, (req, res) => {
  const file = getFile(req);
  if (!file) {
    return res.status(404).json({ error: 'File not found' });
  }
  fs.unlinkSync(path.join(fileFolder(file.id), file.filename));
  db.prepare('DELETE FROM files WHERE id = ?').run(file.id);
  res.json({ status: 'deleted' });
});

app.post('/api/notes', requireUser, (req, res) => {
  const { title, body } = req.body;
  if (typeof title !== 'string' || typeof body !== 'string') {
    return res.status(400).json({ error: 'Title and body are required' });
  }
  const result = db.prepare('INSERT INTO notes (user_id, title, body) VALUES (?, ?, ?)').run(req.user.id, title, body);
  res.status(201).json({ id: result.lastInsertRowid });
});

app.get('/api/notes/:id', requireUser, (req, res) => {
  const [note] = db
    .prepare('SELECT id, title, body, created_at FROM notes WHERE id = ? AND user_id = ?')
    .all(req.params.id, req.user.id);
  if (!note) {
    return res.status(404).json({ error: 'Note not found' });
  }
  res.json(note);
});

app.get('/api/search', requireUser, (req, res) => {
  const q = req.query.q || '';
  const sort = req.query.sort || 'created_at';
  const limit = Number(req.query.limit || 20);
  const order = sort === 'created_at' ? 'created_at DESC' : sort;
  const results = db
    .prepare(
      `SELECT id, title, body, created_at FROM notes WHERE user_id = ? AND (title LIKE ? OR body LIKE ?) ORDER BY ${order} LIMIT ?`,
    )
    .all(req.user.id, `%${q}%`, `%${q}%`, limit);
  res.json({ results });
});

function requireAdmin(req, res, next) {
  if (req.user.role !== 'admin') {
    return res.status(403).json({ error: 'Admins only' });
  }
  next();
}

app.get('/api/admin/users', requireUser, requireAdmin, (req, res) => {
  const users = db.prepare('SELECT id, email, role FROM users').all();
  res.json({ users });
});

app.patch('/api/admin/users/:id', requireUser, requireAdmin, (req, res) => {
  const { role } = req.body;
  if (role !== 'user' && role !== 'admin') {
    return res.status(400).json({ error: 'Role must be user or admin' });
  }
  db.prepare('UPDATE users SET role = ? WHERE id = ?').run(role, req.params.id);
  res.json({ id: Number(req.params.id), role });
});

app.delete('/api/admin/users/:id', requireUser, requireAdmin, (req, res) => {
  const { id } = req.params;
  for (const file of db.prepare('SELECT id FROM files WHERE user_id = ?').all(id)) {
    fs.rmSync(fileFolder(file.id), { recursive: true, force: true });
  }
  db.prepare('DELETE FROM files WHERE user_id = ?').run(id);
  db.prepare('DELETE FROM notes WHERE user_id = ?').run(id);
  db.prepare('DELETE FROM users WHERE id = ?').run(id);
  res.json({ status: 'deleted' });
});

app.post('/api/webhooks/payments', (req, res) => {
  const expected = 'sha256=' + createHmac('sha256', WEBHOOK_SECRET).update(req.rawBody).digest('hex');
  if (req.headers['x-signature'] !== expected) {
    return res.status(400).json({ error: 'Bad signature' });
  }
  const event = req.body;
  db.prepare('INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)').run(
    event.id,
    event.type,
    JSON.stringify(event.data),
  );
  res.json({ status: 'ok' });
});

app.get('/api/admin/webhook-events', requireUser, requireAdmin, (req, res) => {
  const rows = db.prepare('SELECT * FROM events').all();
  res.json({ events: rows.map((row) => ({ ...row, data: JSON.parse(row.data) })) });
});

app.listen(process.env.PORT || 8000, '0.0.0.0');
