import { currentUser } from '@/lib/auth';
import { idOf, route } from '@/lib/http';
import { ownNote } from '@/lib/notes';

export const GET = route(async (request, { params }) => {
  const user = await currentUser(request);
  return Response.json(ownNote(idOf(params), user.id));
});
