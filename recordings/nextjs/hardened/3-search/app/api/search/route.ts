import { currentUser } from '@/lib/auth';
import { checked, route } from '@/lib/http';
import { Search, search } from '@/lib/notes';

export const dynamic = 'force-dynamic';

export const GET = route(async (request) => {
  const user = await currentUser(request);
  const query = checked(Object.fromEntries(new URL(request.url).searchParams), Search);
  return Response.json({ results: search(user.id, query) });
});
