import { currentUser, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function POST(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const { title, body } = await request.json();
  if (typeof title !== 'string' || typeof body !== 'string') {
    return Response.json({ error: 'Title and body are required' }, { status: 400 });
  }
  const result = getDb()
    .prepare('INSERT INTO notes (user_id, title, body) VALUES (?, ?, ?)')
    .run(user.id, title, body);
  return Response.json({ id: result.lastInsertRowid }, { status: 201 });
}
