import { rm } from 'fs/promises';
import { join } from 'path';
import { NextResponse } from 'next/server';
import { z } from 'zod';
import { refuseUnlessAdmin } from '@/lib/admin';
import { config } from '@/lib/config';
import { getDb } from '@/lib/db';
import { failure, parseBody } from '@/lib/http';

type Context = { params: { id: string } };

const newRole = z.object({ role: z.enum(['user', 'admin']) });

export async function PATCH(request: Request, { params }: Context) {
  const refused = refuseUnlessAdmin(request);
  if (refused) return refused;
  const body = await parseBody(request, newRole);
  if (!body) return failure(400, 'Invalid input');
  const { changes } = getDb().prepare('UPDATE users SET role = ? WHERE id = ?').run(body.role, params.id);
  return changes ? NextResponse.json({ id: Number(params.id), role: body.role }) : failure(404, 'User not found');
}

export async function DELETE(request: Request, { params }: Context) {
  const refused = refuseUnlessAdmin(request);
  if (refused) return refused;
  const files = getDb().prepare('SELECT stored FROM files WHERE owner = ?').all(params.id) as { stored: string }[];
  const { changes } = getDb().prepare('DELETE FROM users WHERE id = ?').run(params.id);
  if (!changes) return failure(404, 'User not found');
  await Promise.all(files.map((file) => rm(join(config.uploadDir, file.stored), { force: true })));
  return new NextResponse(null, { status: 204 });
}
