import jwt from 'jsonwebtoken';
import { getDb } from './db';

export { hashPassword } from './password';

const JWT_SECRET = process.env.JWT_SECRET || 'secret';

export type User = { id: number; email: string; password: string; role: string };

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

export function forbidden() {
  return Response.json({ error: 'Admins only' }, { status: 403 });
}
