import { NextResponse, type NextRequest } from 'next/server';

export const config = { matcher: '/api/:path*' };

export function middleware(request: NextRequest) {
  const origins = (process.env.CORS_ORIGINS || '').split(',');
  const origin = request.headers.get('origin');
  const response = request.method === 'OPTIONS' ? new NextResponse(null, { status: 204 }) : NextResponse.next();
  if (origin && origins.includes(origin)) {
    response.headers.set('Access-Control-Allow-Origin', origin);
    response.headers.set('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
    response.headers.set('Access-Control-Allow-Headers', 'Content-Type, Authorization');
  }
  return response;
}
