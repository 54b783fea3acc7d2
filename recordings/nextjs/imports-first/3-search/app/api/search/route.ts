import { NextResponse, type NextRequest } from 'next/server';
import { z } from 'zod';
import { getCurrentUser } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { failure } from '@/lib/http';

export const dynamic = 'force-dynamic';

const query = z.object({
  q: z.string().default(''),
  sort: z.enum(['title', 'created_at']).default('created_at'),
  limit: z.coerce.number().int().default(20),
});

export function GET(request: NextRequest) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const parsed = query.safeParse(Object.fromEntries(request.nextUrl.searchParams));
  if (!parsed.success) return failure(400, 'Invalid input');
  const { q, sort, limit } = parsed.data;
  const order = sort === 'title' ? 'title COLLATE NOCASE' : 'created_at DESC, id DESC';
  const results = getDb()
    .prepare(
      `SELECT id, title, body, created_at FROM notes
       WHERE owner = ? AND (title LIKE ? OR body LIKE ?) ORDER BY ${order} LIMIT ?`,
    )
    .all(user.id, `%${q}%`, `%${q}%`, limit);
  return NextResponse.json({ results });
}
