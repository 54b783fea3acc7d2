import { rm } from 'node:fs/promises';
import { notAdmin, refuse } from '@/lib/auth';
import { database } from '@/lib/db';
import { uploadPath } from '@/lib/files';
import { strings } from '@/lib/input';

type Context = { params: { id: string } };

export async function PATCH(request: Request, { params }: Context) {
  const refusal = notAdmin(request);
  if (refusal) return refusal;
  const body = await strings(request, 'role');
  if (body?.role !== 'user' && body?.role !== 'admin') return refuse(400, 'role is user or admin');
  database().prepare('UPDATE users SET role = ? WHERE id = ?').run(body.role, params.id);
  return Response.json({ id: Number(params.id), role: body.role });
}

export async function DELETE(request: Request, { params }: Context) {
  const refusal = notAdmin(request);
  if (refusal) return refusal;
  const files = database().prepare('SELECT stored FROM files WHERE owner = ?').all(params.id) as { stored: string }[];
  database().prepare('DELETE FROM users WHERE id = ?').run(params.id);
  for (const { stored } of files) await rm(uploadPath(stored), { force: true });
  return Response.json({ deleted: Number(params.id) });
}
