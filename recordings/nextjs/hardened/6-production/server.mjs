// Next shows a route no socket and passes on whatever X-Forwarded-For a client sends. Tries are counted for the
// socket's own address, so it is written over that header here. One process: the limits on tries are counted in it.
import { createServer } from 'node:http';
import next from 'next';
import { answersPreflight, corsHeaders } from './server/cors.mjs';
import { setHeaders } from './server/headers.mjs';

const hostname = '0.0.0.0';
const port = Number(process.env.PORT || 8000);

const app = next({ dev: false, hostname, port });
await app.prepare();
const handle = app.getRequestHandler();

const server = createServer((request, response) => {
  request.headers['x-forwarded-for'] = request.socket.remoteAddress ?? '';
  const api = request.url === '/api' || request.url.startsWith('/api/');
  setHeaders(response, api, api ? corsHeaders(request) : []);
  if (api && answersPreflight(request, response)) return;
  handle(request, response);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 5000).unref();
  });
}
server.listen(port, hostname, () => console.log(`serving on ${hostname}:${port}`));
