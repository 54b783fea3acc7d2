import { currentUser, unauthorized } from '@/lib/auth';

export async function GET(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  return Response.json({ id: user.id, email: user.email, role: user.role });
}
