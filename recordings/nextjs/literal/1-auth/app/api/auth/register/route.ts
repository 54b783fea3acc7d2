import { hashPassword, makeToken } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function POST(request: Request) {
  const { email, password } = await request.json();
  if (typeof email !== 'string' || typeof password !== 'string') {
    return Response.json({ error: 'Email and password are required' }, { status: 400 });
  }
  const db = getDb();
  if (db.prepare('SELECT id FROM users WHERE email = ?').get(email)) {
    return Response.json({ error: 'Email already registered' }, { status: 409 });
  }
  const result = db.prepare('INSERT INTO users (email, password) VALUES (?, ?)').run(email, hashPassword(password));
  return Response.json({ token: makeToken(result.lastInsertRowid) }, { status: 201 });
}
