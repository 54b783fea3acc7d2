import { randomUUID } from 'node:crypto';
import type { NextApiRequest, NextApiResponse } from 'next';
import { getDb } from '../../../lib/db';
import { currentAccount } from '../../../lib/session';

export default function handler(req: NextApiRequest, res: NextApiResponse) {
  const account = currentAccount(req);
  if (!account) {
    return res.status(401).json({ error: 'Not signed in' });
  }
  switch (req.method) {
    case 'GET': {
      const q = String(req.query.q ?? '');
      try {
        const notes = getDb()
          .prepare(
            `SELECT id, title, text, created_at FROM notes
             WHERE account = ? AND (title LIKE '%${q}%' OR text LIKE '%${q}%') ORDER BY created_at DESC`,
          )
          .all([account.id]);
        return res.json({ notes });
      } catch {
        return res.status(400).json({ error: 'This cannot be searched for' });
      }
    }
    case 'POST': {
      const { title, text } = req.body ?? {};
      if (typeof title !== 'string' || typeof text !== 'string' || !title || title.length > 200 || text.length > 20000) {
        return res.status(400).json({ error: 'A title and a text are required' });
      }
      const note = { id: randomUUID(), title, text, created_at: new Date().toISOString() };
      getDb()
        .prepare('INSERT INTO notes (id, account, title, text, created_at) VALUES (?, ?, ?, ?, ?)')
        .run([note.id, account.id, note.title, note.text, note.created_at]);
      return res.status(201).json(note);
    }
    default:
      res.setHeader('Allow', 'GET, POST');
      return res.status(405).json({ error: 'Method not allowed' });
  }
}
