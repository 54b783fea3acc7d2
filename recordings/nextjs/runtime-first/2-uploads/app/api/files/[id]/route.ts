import { readFile, rm } from 'node:fs/promises';
import { refuse, signInFirst, signedIn } from '@/lib/auth';
import { database } from '@/lib/db';
import { own, uploadPath } from '@/lib/files';

type Context = { params: { id: string } };

export async function GET(request: Request, { params }: Context) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const file = own(params.id, user);
  if (!file) return refuse(404, 'no such file');
  return new Response(await readFile(uploadPath(file.stored)), { headers: { 'Content-Type': file.kind } });
}

export async function DELETE(request: Request, { params }: Context) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const file = own(params.id, user);
  if (!file) return refuse(404, 'no such file');
  database().prepare('DELETE FROM files WHERE id = ?').run(file.id);
  await rm(uploadPath(file.stored), { force: true });
  return Response.json({ deleted: file.id });
}
