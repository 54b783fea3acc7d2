import type { NextRequest } from 'next/server';
import { currentUser, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function GET(request: NextRequest) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const params = request.nextUrl.searchParams;
  const q = params.get('q') || '';
  const sort = params.get('sort') || 'created_at';
  const limit = Number(params.get('limit') || 20);
  const order = sort === 'created_at' ? 'created_at DESC' : sort;
  const results = getDb()
    .prepare(
      `SELECT id, title, body, created_at FROM notes WHERE user_id = ? AND (title LIKE ? OR body LIKE ?) ORDER BY ${order} LIMIT ?`,
    )
    .all(user.id, `%${q}%`, `%${q}%`, limit);
  return Response.json({ results });
}
