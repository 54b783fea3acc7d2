import { adminOnly, listUsers } from '@/lib/admin';
import { route } from '@/lib/http';

export const dynamic = 'force-dynamic';

export const GET = route(async (request) => {
  await adminOnly(request);
  return Response.json({ users: listUsers() });
});
