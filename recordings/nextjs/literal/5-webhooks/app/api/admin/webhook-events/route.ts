import { currentUser, forbidden, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';

type EventRow = { id: string; type: string; data: string };

export async function GET(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  if (user.role !== 'admin') return forbidden();
  const rows = getDb().prepare('SELECT * FROM events').all() as EventRow[];
  return Response.json({ events: rows.map((row) => ({ ...row, data: JSON.parse(row.data) })) });
}
