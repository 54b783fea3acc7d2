import { NextResponse } from 'next/server';
import { z } from 'zod';
import { getCurrentUser } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { failure, parseBody } from '@/lib/http';

const newNote = z.object({ title: z.string(), body: z.string() });

export async function POST(request: Request) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const note = await parseBody(request, newNote);
  if (!note) return failure(400, 'Invalid input');
  const { lastInsertRowid } = getDb()
    .prepare('INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)')
    .run(user.id, note.title, note.body);
  return NextResponse.json({ id: lastInsertRowid }, { status: 201 });
}
