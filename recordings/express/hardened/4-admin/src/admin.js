import { Router } from 'express';
import { z } from 'zod';
import { signedIn } from './auth.js';
import { all, isDuplicate, one, run } from './db.js';
import { removeStored } from './files.js';
import { fit, idOf } from './input.js';
import { keep } from './passwords.js';
import { Refusal } from './refusal.js';
import { settings } from './settings.js';

const NewRole = z.object({ role: z.enum(['user', 'admin']) });

/** The account of the environment, unless it exists. */
export async function createAdmin() {
  const { adminEmail: email, adminPassword: password } = settings;
  if (!email || !password || one('SELECT 1 FROM users WHERE email = ?', email)) return;
  const kept = await keep(password);
  try {
    run("INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')", email, kept);
  } catch (error) {
    // Another process was first.
    if (!isDuplicate(error)) throw error;
  }
}

/** The role comes from the database at each request, never from the token. */
function adminOnly(req, res, next) {
  if (req.user.role !== 'admin') throw new Refusal(403, 'for admins only');
  next();
}

export const admin = Router();
admin.use(signedIn, adminOnly);

admin.get('/users', (req, res) => {
  res.json({ users: all('SELECT id, email, role FROM users ORDER BY id') });
});

admin.patch('/users/:id', (req, res) => {
  const id = idOf(req);
  const { role } = fit(NewRole, req.body);
  if (run('UPDATE users SET role = ? WHERE id = ?', role, id).changes === 0) throw new Refusal(404, 'no such user');
  res.json(one('SELECT id, email, role FROM users WHERE id = ?', id));
});

admin.delete('/users/:id', async (req, res) => {
  const id = idOf(req);
  const stored = all('SELECT stored FROM files WHERE owner = ?', id).map((file) => file.stored);
  if (run('DELETE FROM users WHERE id = ?', id).changes === 0) throw new Refusal(404, 'no such user');
  await removeStored(stored);
  res.status(204).end();
});
