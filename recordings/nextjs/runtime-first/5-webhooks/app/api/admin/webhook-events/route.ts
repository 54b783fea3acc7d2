import { notAdmin } from '@/lib/auth';
import { database } from '@/lib/db';

export async function GET(request: Request) {
  const refusal = notAdmin(request);
  if (refusal) return refusal;
  const rows = database().prepare('SELECT id, type, data FROM events').all() as Record<string, string>[];
  return Response.json({ events: rows.map(({ id, type, data }) => ({ id, type, data: JSON.parse(data) })) });
}
