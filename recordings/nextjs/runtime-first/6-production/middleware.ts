import { NextResponse, type NextRequest } from 'next/server';

export const config = { matcher: '/api/:path*' };

const ORIGINS = new Set(
  (process.env.CORS_ORIGINS ?? '')
    .split(',')
    .map((origin) => origin.trim())
    .filter(Boolean),
);

/** Cross-origin answers for the listed origins. */
export function middleware(request: NextRequest) {
  const headers = new Headers({ Vary: 'Origin' });
  const origin = request.headers.get('origin');
  if (origin && ORIGINS.has(origin)) {
    headers.set('Access-Control-Allow-Origin', origin);
    headers.set('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
    headers.set('Access-Control-Allow-Headers', 'Authorization, Content-Type');
  }
  if (request.method === 'OPTIONS') return new NextResponse(null, { status: 204, headers });
  return NextResponse.next({ headers });
}
