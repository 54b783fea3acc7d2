import { currentUser } from '@/lib/auth';
import { readJson, route } from '@/lib/http';
import { NewNote, create } from '@/lib/notes';

export const POST = route(async (request) => {
  const user = await currentUser(request);
  const note = await readJson(request, NewNote);
  return Response.json({ id: create(user.id, note) }, { status: 201 });
});
