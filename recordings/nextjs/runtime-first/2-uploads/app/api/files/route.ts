import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { refuse, signInFirst, signedIn } from '@/lib/auth';
import { database } from '@/lib/db';
import { KINDS, extensionOf, uploadPath } from '@/lib/files';

const MAX_BYTES = 5 * 1024 * 1024;
// The form's own lines come on top of the file.
const MAX_REQUEST = MAX_BYTES + 4096;

export async function POST(request: Request) {
  // Refuse before the body is read.
  if (Number(request.headers.get('content-length') ?? 0) > MAX_REQUEST) return refuse(413, 'files of up to 5 MB only');
  const user = signedIn(request);
  if (!user) return signInFirst();
  const form = await request.formData().catch(() => null);
  const file = form?.get('file');
  if (!(file instanceof File)) return refuse(400, 'one field is needed: file');
  const name = basename(file.name.replaceAll('\\', '/'));
  const extension = extensionOf(name);
  if (!KINDS[extension]) return refuse(415, 'PNG, JPEG, PDF and text files only');
  await mkdir(uploadPath(), { recursive: true });
  const stored = randomUUID() + extension;
  await writeFile(uploadPath(stored), Buffer.from(await file.arrayBuffer()));
  const insert = database().prepare('INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)');
  const { lastInsertRowid } = insert.run(user.id, name, KINDS[extension], file.size, stored);
  return Response.json({ id: lastInsertRowid, filename: name, size: file.size }, { status: 201 });
}

export async function GET(request: Request) {
  const user = signedIn(request);
  if (!user) return signInFirst();
  const files = database().prepare('SELECT id, filename, size FROM files WHERE owner = ?').all(user.id);
  return Response.json({ files });
}
