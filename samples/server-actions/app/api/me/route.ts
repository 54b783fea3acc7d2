import { NextResponse } from 'next/server';
import { currentUser } from '@/lib/session';

export function GET() {
  const user = currentUser();
  return user ? NextResponse.json(user) : NextResponse.json({ error: 'Not signed in' }, { status: 401 });
}
