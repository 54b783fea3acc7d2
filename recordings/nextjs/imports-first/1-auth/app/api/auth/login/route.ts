import { NextResponse } from 'next/server';
import { createToken, credentials, verifyPassword, type User } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { failure, parseBody } from '@/lib/http';

export async function POST(request: Request) {
  const body = await parseBody(request, credentials);
  if (!body) return failure(400, 'Invalid input');
  const user = getDb().prepare('SELECT * FROM users WHERE email = ?').get(body.email) as User | undefined;
  if (!user || !(await verifyPassword(body.password, user.password))) return failure(401, 'Invalid email or password');
  return NextResponse.json({ token: createToken(user.id) });
}
