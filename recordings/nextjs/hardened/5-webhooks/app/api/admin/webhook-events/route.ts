import { adminOnly } from '@/lib/admin';
import { list } from '@/lib/events';
import { route } from '@/lib/http';

export const dynamic = 'force-dynamic';

export const GET = route(async (request) => {
  await adminOnly(request);
  return Response.json({ events: list() });
});
