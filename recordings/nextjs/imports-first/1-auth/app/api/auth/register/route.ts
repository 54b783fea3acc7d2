import { NextResponse } from 'next/server';
import { createToken, credentials, hashPassword } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { failure, parseBody } from '@/lib/http';

export async function POST(request: Request) {
  const body = await parseBody(request, credentials);
  if (!body) return failure(400, 'Invalid input');
  const password = await hashPassword(body.password);
  const insert = getDb().prepare('INSERT INTO users (email, password) VALUES (?, ?) ON CONFLICT (email) DO NOTHING');
  const { changes, lastInsertRowid } = insert.run(body.email, password);
  if (changes === 0) return failure(409, 'Email already registered');
  return NextResponse.json({ token: createToken(lastInsertRowid) }, { status: 201 });
}
