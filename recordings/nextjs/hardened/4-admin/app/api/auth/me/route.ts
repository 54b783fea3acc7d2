import { currentUser } from '@/lib/auth';
import { route } from '@/lib/http';

export const dynamic = 'force-dynamic';

export const GET = route(async (request) => {
  const user = await currentUser(request);
  return Response.json({ id: user.id, email: user.email, role: user.role });
});
