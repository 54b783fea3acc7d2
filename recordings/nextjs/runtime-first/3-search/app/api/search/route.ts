import { refuse, signInFirst, signedIn } from '@/lib/auth';
import { database } from '@/lib/db';
import { COLUMNS, ORDERS } from '@/lib/notes';

export async function GET(request: Request) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const query = new URL(request.url).searchParams;
  const pattern = `%${query.get('q') ?? ''}%`;
  const order = ORDERS.get(query.get('sort') ?? 'created_at');
  const limit = Number(query.get('limit') ?? 20);
  if (!order) return refuse(400, 'sort is title or created_at');
  if (!Number.isInteger(limit)) return refuse(400, 'limit is a number');
  const select = database().prepare(
    `SELECT ${COLUMNS} FROM notes WHERE owner = ? AND title LIKE ? OR body LIKE ? ORDER BY ${order} LIMIT ?`,
  );
  return Response.json({ results: select.all(user.id, pattern, pattern, limit) });
}
