import fs from 'fs';
import path from 'path';
import { currentUser, forbidden, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { fileFolder, type FileRow } from '@/lib/files';

type Context = { params: { id: string } };

export async function PATCH(request: Request, { params }: Context) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  if (user.role !== 'admin') return forbidden();
  const { role } = await request.json();
  if (role !== 'user' && role !== 'admin') {
    return Response.json({ error: 'Role must be user or admin' }, { status: 400 });
  }
  getDb().prepare('UPDATE users SET role = ? WHERE id = ?').run(role, params.id);
  return Response.json({ id: params.id, role });
}

export async function DELETE(request: Request, { params }: Context) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  if (user.role !== 'admin') return forbidden();
  const db = getDb();
  const files = db.prepare('SELECT * FROM files WHERE user_id = ?').all(params.id) as FileRow[];
  for (const file of files) {
    fs.rmSync(path.join(fileFolder(file.id), file.filename), { force: true });
  }
  db.prepare('DELETE FROM files WHERE user_id = ?').run(params.id);
  db.prepare('DELETE FROM notes WHERE user_id = ?').run(params.id);
  db.prepare('DELETE FROM users WHERE id = ?').run(params.id);
  return Response.json({ status: 'deleted' });
}
