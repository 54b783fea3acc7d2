import fs from 'fs';
import path from 'path';
import { currentUser, unauthorized } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { fileFolder } from '@/lib/files';

const ALLOWED = ['.png', '.jpg', '.jpeg', '.pdf', '.txt'];
const MAX_SIZE = 5 * 1024 * 1024;

export async function POST(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const form = await request.formData();
  const file = form.get('file') as File | null;
  if (!file) {
    return Response.json({ error: 'No file' }, { status: 400 });
  }
  if (!ALLOWED.some((extension) => file.name.toLowerCase().endsWith(extension))) {
    return Response.json({ error: 'File type not allowed' }, { status: 400 });
  }
  if (file.size > MAX_SIZE) {
    return Response.json({ error: 'File too large' }, { status: 400 });
  }
  const result = getDb()
    .prepare('INSERT INTO files (user_id, filename, content_type, size) VALUES (?, ?, ?, ?)')
    .run(user.id, file.name, file.type, file.size);
  const folder = fileFolder(result.lastInsertRowid);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, file.name), Buffer.from(await file.arrayBuffer()));
  return Response.json({ id: result.lastInsertRowid, filename: file.name, size: file.size }, { status: 201 });
}

export async function GET(request: Request) {
  const user = currentUser(request);
  if (!user) return unauthorized();
  const files = getDb().prepare('SELECT id, filename, size FROM files WHERE user_id = ?').all(user.id);
  return Response.json({ files });
}
