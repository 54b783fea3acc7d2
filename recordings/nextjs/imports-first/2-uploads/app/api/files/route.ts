import { randomUUID } from 'crypto';
import { mkdir, writeFile } from 'fs/promises';
import { extname, join } from 'path';
import { NextResponse } from 'next/server';
import { getCurrentUser } from '@/lib/auth';
import { config } from '@/lib/config';
import { getDb } from '@/lib/db';
import { failure } from '@/lib/http';

const MAX_SIZE = 5 * 1024 * 1024;
const ALLOWED: Record<string, string[]> = {
  'image/png': ['.png'],
  'image/jpeg': ['.jpg', '.jpeg'],
  'application/pdf': ['.pdf'],
  'text/plain': ['.txt'],
};

export async function POST(request: Request) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const form = await request.formData().catch(() => null);
  const file = form?.get('file');
  if (!(file instanceof File)) return failure(400, 'No file');
  const [kind] = file.type.split(';');
  if (!ALLOWED[kind]?.includes(extname(file.name).toLowerCase())) {
    return failure(415, 'Only PNG, JPEG, PDF and text files are accepted');
  }
  if (file.size > MAX_SIZE) return failure(413, 'File too large');
  await mkdir(config.uploadDir, { recursive: true });
  const stored = randomUUID();
  await writeFile(join(config.uploadDir, stored), Buffer.from(await file.arrayBuffer()));
  const { lastInsertRowid } = getDb()
    .prepare('INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)')
    .run(user.id, file.name, kind, file.size, stored);
  return NextResponse.json({ id: lastInsertRowid, filename: file.name, size: file.size }, { status: 201 });
}

export function GET(request: Request) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const files = getDb().prepare('SELECT id, filename, size FROM files WHERE owner = ?').all(user.id);
  return NextResponse.json({ files });
}
