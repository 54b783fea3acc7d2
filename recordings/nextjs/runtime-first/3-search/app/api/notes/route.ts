import { refuse, signInFirst, signedIn } from '@/lib/auth';
import { database } from '@/lib/db';
import { strings } from '@/lib/input';

export async function POST(request: Request) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const note = await strings(request, 'title', 'body');
  if (!note) return refuse(400, 'title and body are required');
  const insert = database().prepare('INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)');
  const { lastInsertRowid } = insert.run(user.id, note.title, note.body);
  return Response.json({ id: lastInsertRowid }, { status: 201 });
}
