import { NextRequest, NextResponse } from 'next/server';
import { getDb } from '@/lib/db';
import { currentUser } from '@/lib/session';

export function GET(request: NextRequest) {
  const user = currentUser();
  if (!user) return NextResponse.json({ error: 'Not signed in' }, { status: 401 });
  const q = `%${request.nextUrl.searchParams.get('q') ?? ''}%`;
  const notes = getDb()
    .prepare('SELECT id, title, body FROM notes WHERE user_id = ? AND (title LIKE ? OR body LIKE ?)')
    .all([user.id, q, q]);
  return NextResponse.json(notes);
}
