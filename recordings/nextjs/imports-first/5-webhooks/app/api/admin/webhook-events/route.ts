import { NextResponse } from 'next/server';
import { refuseUnlessAdmin } from '@/lib/admin';
import { getDb } from '@/lib/db';

export const dynamic = 'force-dynamic';

export function GET(request: Request) {
  const refused = refuseUnlessAdmin(request);
  if (refused) return refused;
  const rows = getDb().prepare('SELECT id, type, data FROM events').all() as { id: string; type: string; data: string }[];
  return NextResponse.json({ events: rows.map((row) => ({ ...row, data: JSON.parse(row.data) })) });
}
