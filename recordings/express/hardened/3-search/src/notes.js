import { Router } from 'express';
import { z } from 'zod';
import { signedIn } from './auth.js';
import { all, one, run } from './db.js';
import { fit, idOf, text } from './input.js';
import { Refusal } from './refusal.js';

const ORDER = { title: 'title COLLATE NOCASE ASC, id ASC', created_at: 'created_at DESC, id DESC' };

const NewNote = z.object({ title: text(1, 200), body: text(0, 20_000) });
const Search = z.object({
  q: text(0, 200).default(''),
  sort: z.enum(Object.keys(ORDER)).default('created_at'),
  limit: z.string().regex(/^\d{1,3}$/).transform(Number).pipe(z.number().min(1).max(100)).default(20),
});

export const notes = Router();

notes.post('/notes', signedIn, (req, res) => {
  const { title, body } = fit(NewNote, req.body);
  const { id } = run('INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)', req.user.id, title, body);
  res.status(201).json({ id });
});

notes.get('/notes/:id', signedIn, (req, res) => {
  const sql = 'SELECT id, title, body, created_at FROM notes WHERE id = ? AND owner = ?';
  const note = one(sql, idOf(req), req.user.id);
  if (!note) throw new Refusal(404, 'no such note');
  res.json(note);
});

notes.get('/search', signedIn, (req, res) => {
  const { q, sort, limit } = fit(Search, req.query);
  const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`;
  const sql = `
    SELECT id, title, body, created_at FROM notes
    WHERE owner = ? AND (title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\')
    ORDER BY ${ORDER[sort]} LIMIT ?`;
  res.json({ results: all(sql, req.user.id, pattern, pattern, limit) });
});
