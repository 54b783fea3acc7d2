import { currentUser, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function GET(request: Request, { params }: { params: { id: string } }) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const [note] = getDb()
    .prepare('SELECT id, title, body, created_at FROM notes WHERE id = ? AND user_id = ?')
    .all(params.id, user.id);
  if (!note) {
    return Response.json({ error: 'Note not found' }, { status: 404 });
  }
  return Response.json(note);
}
