// Attachments on Fastify: routes in plugins under a prefix, opaque bearer tokens, files by UUID in memory.
import Fastify from 'fastify';
import multipart from '@fastify/multipart';
import accounts from './accounts.js';
import attachments from './attachments.js';

const app = Fastify({ bodyLimit: 6 * 1024 * 1024 });
await app.register(multipart, { limits: { fileSize: 5 * 1024 * 1024 } });
app.get('/healthz', async () => ({ status: 'up' }));
await app.register(accounts, { prefix: '/v2' });
await app.register(attachments, { prefix: '/v2' });
await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT) });
