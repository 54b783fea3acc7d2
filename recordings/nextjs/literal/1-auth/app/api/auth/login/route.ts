import { hashPassword, makeToken, type User } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function POST(request: Request) {
  const { email, password } = await request.json();
  if (typeof email !== 'string' || typeof password !== 'string') {
    return Response.json({ error: 'Email and password are required' }, { status: 400 });
  }
  const user = getDb().prepare('SELECT * FROM users WHERE email = ?').get(email) as User | undefined;
  if (!user || user.password !== hashPassword(password)) {
    return Response.json({ error: 'Wrong email or password' }, { status: 401 });
  }
  return Response.json({ token: makeToken(user.id) });
}
