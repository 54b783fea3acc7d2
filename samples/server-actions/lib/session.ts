import { randomBytes } from 'node:crypto';
import { cookies } from 'next/headers';
import { getDb } from './db';

export type User = { id: number; email: string; name: string };

export function startSession(userId: number) {
  const id = randomBytes(24).toString('hex');
  getDb().prepare('INSERT INTO sessions (id, user_id) VALUES (?, ?)').run([id, userId]);
  cookies().set('logbook', id, { httpOnly: true, sameSite: 'lax', path: '/', maxAge: 60 * 60 * 24 * 7 });
}

export function currentUser(): User | undefined {
  const id = cookies().get('logbook')?.value ?? '';
  const row = getDb()
    .prepare('SELECT u.id, u.email, u.name FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?')
    .get([id]);
  return row as User | undefined;
}
