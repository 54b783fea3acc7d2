import { NextRequest, NextResponse } from 'next/server';
import { getDb } from '@/lib/db';

export function GET(_request: NextRequest, { params }: { params: { id: string } }) {
  const note = getDb().prepare('SELECT id, title, body FROM notes WHERE id = ?').get([params.id]);
  return note ? NextResponse.json(note) : NextResponse.json({ error: 'No such note' }, { status: 404 });
}
