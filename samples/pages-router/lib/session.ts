import { randomBytes } from 'node:crypto';
import type { NextApiRequest, NextApiResponse } from 'next';
import { getDb } from './db';

const WEEK = 7 * 24 * 60 * 60;

export function startSession(res: NextApiResponse, account: string) {
  const id = randomBytes(32).toString('base64url');
  getDb().prepare('INSERT INTO sessions VALUES (?, ?, ?)').run([id, account, Date.now() + WEEK * 1000]);
  res.setHeader('Set-Cookie', `sid=${id}; HttpOnly; SameSite=Lax; Path=/; Max-Age=${WEEK}`);
}

export function endSession(req: NextApiRequest, res: NextApiResponse) {
  getDb().prepare('DELETE FROM sessions WHERE id = ?').run([req.cookies.sid ?? '']);
  res.setHeader('Set-Cookie', 'sid=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0');
}

export type Account = { id: string; email: string };

export function currentAccount(req: NextApiRequest): Account | undefined {
  const row = getDb()
    .prepare('SELECT a.id, a.email FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.id = ? AND s.expires > ?')
    .get([req.cookies.sid ?? '', Date.now()]);
  return row as Account | undefined;
}
