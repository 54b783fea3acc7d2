import { NextResponse } from 'next/server';
import { refuseUnlessAdmin } from '@/lib/admin';
import { getDb } from '@/lib/db';

export const dynamic = 'force-dynamic';

export function GET(request: Request) {
  const refused = refuseUnlessAdmin(request);
  if (refused) return refused;
  return NextResponse.json({ users: getDb().prepare('SELECT id, email, role FROM users').all() });
}
