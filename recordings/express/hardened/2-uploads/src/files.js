import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Router } from 'express';
import { signedIn } from './auth.js';
import { all, one, run } from './db.js';
import { kindOf } from './filetypes.js';
import { idOf } from './input.js';
import { Refusal } from './refusal.js';
import { settings } from './settings.js';
import { cleanName, oneFile } from './upload.js';

const pathOf = (stored) => join(settings.uploadDir, stored);

async function store(owner, filename, kind, content) {
  await mkdir(settings.uploadDir, { recursive: true });
  const stored = randomBytes(16).toString('hex');
  await writeFile(pathOf(stored), content, { flag: 'wx' });
  try {
    const sql = 'INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)';
    return run(sql, owner, filename, kind, content.length, stored).id;
  } catch (error) {
    await removeStored([stored]);
    throw error;
  }
}

function ownFile(req) {
  const file = one('SELECT * FROM files WHERE id = ? AND owner = ?', idOf(req), req.user.id);
  if (!file) throw new Refusal(404, 'no such file');
  return file;
}

export async function removeStored(names) {
  for (const name of names) await rm(pathOf(name), { force: true });
}

export const files = Router();
files.use(signedIn);

files.post('/', oneFile, async (req, res) => {
  const filename = cleanName(req.file.originalname);
  if (!filename) throw new Refusal(422, 'the file needs a name');
  const content = req.file.buffer;
  const kind = kindOf(filename, content);
  if (!kind) throw new Refusal(415, 'we take PNG, JPEG, PDF and plain-text files');
  const id = await store(req.user.id, filename, kind, content);
  res.status(201).json({ id, filename, size: content.length });
});

files.get('/', (req, res) => {
  res.json({ files: all('SELECT id, filename, size FROM files WHERE owner = ? ORDER BY id', req.user.id) });
});

files.get('/:id', async (req, res) => {
  const file = ownFile(req);
  const content = await readFile(pathOf(file.stored));
  res.attachment(file.filename).type(file.kind);
  res.set({ 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox" });
  res.send(content);
});

files.delete('/:id', async (req, res) => {
  const file = ownFile(req);
  run('DELETE FROM files WHERE id = ? AND owner = ?', file.id, req.user.id);
  await removeStored([file.stored]);
  res.status(204).end();
});
