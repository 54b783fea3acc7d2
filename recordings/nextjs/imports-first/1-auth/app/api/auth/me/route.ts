import { NextResponse } from 'next/server';
import { getCurrentUser } from '@/lib/auth';
import { failure } from '@/lib/http';

export const dynamic = 'force-dynamic';

export function GET(request: Request) {
  const user = getCurrentUser(request);
  if (!user) return failure(401, 'Not authenticated');
  return NextResponse.json({ id: user.id, email: user.email });
}
