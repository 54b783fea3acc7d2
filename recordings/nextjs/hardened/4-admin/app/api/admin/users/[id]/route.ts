import { NewRole, adminOnly, changeRole, deleteUser } from '@/lib/admin';
import { idOf, readJson, route } from '@/lib/http';

export const PATCH = route(async (request, { params }) => {
  await adminOnly(request);
  const { role } = await readJson(request, NewRole);
  return Response.json(changeRole(idOf(params), role));
});

export const DELETE = route(async (request, { params }) => {
  await adminOnly(request);
  await deleteUser(idOf(params));
  return new Response(null, { status: 204 });
});
