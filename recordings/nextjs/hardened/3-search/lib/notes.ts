import { z } from 'zod';
import { all, one, run } from './db';
import { Refusal } from './http';

const ORDER = { title: 'title COLLATE NOCASE ASC, id ASC', created_at: 'created_at DESC, id DESC' };

export const NewNote = z.object({ title: z.string().min(1).max(200), body: z.string().max(20_000) });

export const Search = z.object({
  q: z.string().max(200).default(''),
  sort: z.enum(['title', 'created_at']).default('created_at'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

type Note = { id: number; title: string; body: string; created_at: string };

const shown = ({ id, title, body, created_at }: Note): Note => ({ id, title, body, created_at });

export function create(owner: number, note: z.output<typeof NewNote>): number {
  return run('INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)', owner, note.title, note.body).id;
}

export function ownNote(id: number, owner: number): Note {
  const note = one<Note>('SELECT * FROM notes WHERE id = ? AND owner = ?', id, owner);
  if (!note) throw new Refusal(404, 'no such note');
  return shown(note);
}

export function search(owner: number, { q, sort, limit }: z.output<typeof Search>): Note[] {
  const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`;
  const sql = `SELECT * FROM notes WHERE owner = ? AND (title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\')
    ORDER BY ${ORDER[sort]} LIMIT ?`;
  return all<Note>(sql, owner, pattern, pattern, limit).map(shown);
}
