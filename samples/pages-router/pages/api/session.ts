import type { NextApiRequest, NextApiResponse } from 'next';
import { getDb } from '../../lib/db';
import { verifyPassword } from '../../lib/password';
import { endSession, startSession } from '../../lib/session';

const MOST_TRIES = 5;
const LOCKED_FOR = 15 * 60 * 1000;

type Row = { id: string; email: string; password: string; failed: number; locked_until: number };

export default function handler(req: NextApiRequest, res: NextApiResponse) {
  switch (req.method) {
    case 'POST': {
      const { email, password } = req.body ?? {};
      if (typeof email !== 'string' || typeof password !== 'string') {
        return res.status(400).json({ error: 'Email and password are required' });
      }
      const db = getDb();
      const account = db.prepare('SELECT * FROM accounts WHERE email = ?').get([email]) as Row | undefined;
      if (!account) {
        return res.status(401).json({ error: 'Wrong email or password' });
      }
      if (account.locked_until > Date.now()) {
        return res.status(423).json({ error: 'This account is locked for a while' });
      }
      if (!verifyPassword(password, account.password)) {
        const failed = account.failed + 1;
        const lockedUntil = failed >= MOST_TRIES ? Date.now() + LOCKED_FOR : 0;
        db.prepare('UPDATE accounts SET failed = ?, locked_until = ? WHERE id = ?').run([
          lockedUntil ? 0 : failed,
          lockedUntil,
          account.id,
        ]);
        return res.status(401).json({ error: 'Wrong email or password', attemptsLeft: MOST_TRIES - failed });
      }
      db.prepare('UPDATE accounts SET failed = 0, locked_until = 0 WHERE id = ?').run([account.id]);
      startSession(res, account.id);
      return res.status(200).json({ id: account.id, email: account.email });
    }
    case 'DELETE':
      endSession(req, res);
      return res.status(204).end();
    default:
      res.setHeader('Allow', 'POST, DELETE');
      return res.status(405).json({ error: 'Method not allowed' });
  }
}
