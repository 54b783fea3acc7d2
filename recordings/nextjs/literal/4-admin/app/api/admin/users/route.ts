import { currentUser, forbidden, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';

export async function GET(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  if (user.role !== 'admin') return forbidden();
  const users = getDb().prepare('SELECT id, email, role FROM users').all();
  return Response.json({ users });
}
