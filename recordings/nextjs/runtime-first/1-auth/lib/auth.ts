import { readToken } from './crypto';
import { database } from './db';

export type User = { id: number; email: string; password: string };

export function signedIn(request: Request): User | undefined {
  const header = request.headers.get('authorization') ?? '';
  const id = header.startsWith('Bearer ') ? readToken(header.slice(7)) : null;
  if (id === null) return undefined;
  return database().prepare('SELECT * FROM users WHERE id = ?').get(id) as User | undefined;
}

export function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

export const signInFirst = () => refuse(401, 'sign in first');
