import { createHash } from 'crypto';
import jwt from 'jsonwebtoken';
import { getDb } from './db';

const JWT_SECRET = process.env.JWT_SECRET || 'secret';

export type User = { id: number; email: string; password: string };

export function hashPassword(password: string) {
  return createHash('sha256').update(password).digest('hex');
}

export function makeToken(userId: number | bigint) {
  return jwt.sign({ sub: String(userId) }, JWT_SECRET);
}

export function currentUser(request: Request) {
  const token = (request.headers.get('authorization') || '').replace('Bearer ', '');
  let payload;
  try {
    payload = jwt.verify(token, JWT_SECRET);
  } catch {
    return undefined;
  }
  return getDb().prepare('SELECT * FROM users WHERE id = ?').get(payload.sub) as User | undefined;
}

export function unauthorized() {
  return Response.json({ error: 'Not signed in' }, { status: 401 });
}
