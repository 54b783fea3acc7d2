import { refuse } from '@/lib/auth';
import { createToken, hashPassword } from '@/lib/crypto';
import { database } from '@/lib/db';
import { strings } from '@/lib/input';

export async function POST(request: Request) {
  const body = await strings(request, 'email', 'password');
  if (!body || !body.email.includes('@') || !body.password) return refuse(400, 'email and password are required');
  const stored = await hashPassword(body.password);
  const insert = database().prepare('INSERT OR IGNORE INTO users (email, password) VALUES (?, ?)');
  const { changes, lastInsertRowid } = insert.run(body.email, stored);
  if (changes === 0) return refuse(409, 'email already registered');
  return Response.json({ token: createToken(Number(lastInsertRowid)) }, { status: 201 });
}
