import { readToken } from './crypto';
import { database } from './db';

export type User = { id: number; email: string; password: string; role: 'user' | 'admin' };

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

/** The refusal for those who are no admin, nothing for those who are. */
export function notAdmin(request: Request): Response | undefined {
  const user = signedIn(request);
  if (!user) return signInFirst();
  if (user.role !== 'admin') return refuse(403, 'admins only');
}
