import { refuse, signInFirst, signedIn } from '@/lib/auth';
import { database } from '@/lib/db';
import { COLUMNS } from '@/lib/notes';

export async function GET(request: Request, { params }: { params: { id: string } }) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const select = database().prepare(`SELECT ${COLUMNS} FROM notes WHERE id = ? AND owner = ?`);
  const [note] = select.all(params.id, user.id);
  return note ? Response.json(note) : refuse(404, 'no such note');
}
