import type { NextApiRequest, NextApiResponse } from 'next';
import { getDb } from '../../../lib/db';
import { currentAccount } from '../../../lib/session';

export default function handler(req: NextApiRequest, res: NextApiResponse) {
  const account = currentAccount(req);
  if (!account) {
    return res.status(401).json({ error: 'Not signed in' });
  }
  const id = String(req.query.id);
  switch (req.method) {
    case 'GET': {
      const note = getDb().prepare('SELECT id, title, text, created_at FROM notes WHERE id = ?').get([id]);
      return note ? res.json(note) : res.status(404).json({ error: 'No such note' });
    }
    case 'DELETE': {
      const gone = getDb().prepare('DELETE FROM notes WHERE id = ? AND account = ?').run([id, account.id]);
      return gone.changes ? res.status(204).end() : res.status(404).json({ error: 'No such note' });
    }
    default:
      res.setHeader('Allow', 'GET, DELETE');
      return res.status(405).json({ error: 'Method not allowed' });
  }
}
