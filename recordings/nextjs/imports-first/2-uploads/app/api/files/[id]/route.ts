import { readFile, rm } from 'fs/promises';
import { join } from 'path';
import { NextResponse } from 'next/server';
import { getCurrentUser } from '@/lib/auth';
import { config } from '@/lib/config';
import { getDb } from '@/lib/db';
import { getOwnFile } from '@/lib/files';
import { failure } from '@/lib/http';

type Context = { params: { id: string } };

export async function GET(request: Request, { params }: Context) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const file = getOwnFile(params.id, user);
  if (!file) return failure(404, 'File not found');
  return new NextResponse(await readFile(join(config.uploadDir, file.stored)), {
    headers: {
      'Content-Type': file.kind,
      'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.filename)}`,
    },
  });
}

export async function DELETE(request: Request, { params }: Context) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const file = getOwnFile(params.id, user);
  if (!file) return failure(404, 'File not found');
  getDb().prepare('DELETE FROM files WHERE id = ?').run(file.id);
  await rm(join(config.uploadDir, file.stored), { force: true });
  return new NextResponse(null, { status: 204 });
}
