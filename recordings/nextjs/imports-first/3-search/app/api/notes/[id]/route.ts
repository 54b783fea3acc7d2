import { NextResponse } from 'next/server';
import { getCurrentUser } from '@/lib/auth';
import { getDb } from '@/lib/db';
import { failure } from '@/lib/http';

export function GET(request: Request, { params }: { params: { id: string } }) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  const [note] = getDb()
    .prepare('SELECT id, title, body, created_at FROM notes WHERE id = ? AND owner = ?')
    .all(params.id, user.id);
  return note ? NextResponse.json(note) : failure(404, 'Note not found');
}
