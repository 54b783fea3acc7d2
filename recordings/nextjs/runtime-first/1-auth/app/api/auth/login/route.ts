import { refuse, type User } from '@/lib/auth';
import { createToken, verifyPassword } from '@/lib/crypto';
import { database } from '@/lib/db';
import { strings } from '@/lib/input';

export async function POST(request: Request) {
  const body = await strings(request, 'email', 'password');
  if (!body) return refuse(400, 'email and password are required');
  const user = database().prepare('SELECT * FROM users WHERE email = ?').get(body.email) as User | undefined;
  if (!user || !(await verifyPassword(body.password, user.password))) return refuse(401, 'wrong email or password');
  return Response.json({ token: createToken(user.id) });
}
