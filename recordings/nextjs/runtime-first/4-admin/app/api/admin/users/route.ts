import { notAdmin } from '@/lib/auth';
import { database } from '@/lib/db';

export async function GET(request: Request) {
  const refusal = notAdmin(request);
  if (refusal) return refusal;
  return Response.json({ users: database().prepare('SELECT id, email, role FROM users').all() });
}
