const ORIGINS = new Set(
  (process.env.CORS_ORIGINS ?? '')
    .split(',')
    .map((origin) => origin.trim())
    .filter(Boolean),
);

/** Which page may read a reply. Not a Next middleware: that would hold a whole upload in memory before the route. */
export function corsHeaders(request) {
  const { origin } = request.headers;
  return ORIGINS.has(origin) ? [['Vary', 'Origin'], ['Access-Control-Allow-Origin', origin]] : [['Vary', 'Origin']];
}

export function answersPreflight(request, response) {
  const { origin, 'access-control-request-method': wanted } = request.headers;
  if (request.method !== 'OPTIONS' || !origin || !wanted) return false;
  if (ORIGINS.has(origin)) {
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type');
    response.setHeader('Access-Control-Max-Age', '600');
  }
  response.writeHead(204).end();
  return true;
}
