import { randomUUID } from 'node:crypto';
import type { NextApiRequest, NextApiResponse } from 'next';
import { getDb } from '../../lib/db';
import { hashPassword } from '../../lib/password';
import { currentAccount, startSession } from '../../lib/session';

export default function handler(req: NextApiRequest, res: NextApiResponse) {
  switch (req.method) {
    case 'GET': {
      const account = currentAccount(req);
      return account ? res.json(account) : res.status(401).json({ error: 'Not signed in' });
    }
    case 'POST': {
      const { email, password } = req.body ?? {};
      if (typeof email !== 'string' || !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) {
        return res.status(400).json({ error: 'A valid email is required' });
      }
      if (typeof password !== 'string' || password.length < 10) {
        return res.status(400).json({ error: 'The password needs at least 10 characters' });
      }
      const id = randomUUID();
      try {
        getDb().prepare('INSERT INTO accounts (id, email, password) VALUES (?, ?, ?)').run([id, email, hashPassword(password)]);
      } catch {
        return res.status(409).json({ error: 'This email is taken' });
      }
      startSession(res, id);
      return res.status(201).json({ id, email });
    }
    default:
      res.setHeader('Allow', 'GET, POST');
      return res.status(405).json({ error: 'Method not allowed' });
  }
}
