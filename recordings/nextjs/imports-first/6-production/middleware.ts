import { NextResponse, type NextRequest } from 'next/server';

export const config = { matcher: '/api/:path*' };

export function middleware(request: NextRequest) {
  const origins = (process.env.CORS_ORIGINS ?? '').split(',').map((origin) => origin.trim());
  const origin = request.headers.get('origin');
  const preflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
  const response = preflight ? new NextResponse(null, { status: 204 }) : NextResponse.next();
  response.headers.append('Vary', 'Origin');
  if (origin && origins.includes(origin)) {
    response.headers.set('Access-Control-Allow-Origin', origin);
    if (preflight) {
      response.headers.set('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
      response.headers.set('Access-Control-Allow-Headers', 'Authorization, Content-Type');
    }
  }
  return response;
}
