import fs from 'fs';
import path from 'path';
import { currentUser, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { fileFolder, getFile, notFound } from '@/lib/files';

type Context = { params: { id: string } };

export async function GET(request: Request, { params }: Context) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const file = getFile(params.id, user);
  if (!file) return notFound();
  const data = fs.readFileSync(path.join(fileFolder(file.id), file.filename));
  return new Response(data, { headers: { 'Content-Type': file.content_type } });
}

export async function DELETE(request: Request, { params }: Context) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const file = getFile(params.id, user);
  if (!file) return notFound();
  fs.unlinkSync(path.join(fileFolder(file.id), file.filename));
  getDb().prepare('DELETE FROM files WHERE id = ?').run(file.id);
  return Response.json({ status: 'deleted' });
}
