import crypto from 'node:crypto';
import { signedIn } from './accounts.js';

const kept = new Map();

export default async function attachments(app) {
  app.post('/attachments', { preHandler: signedIn }, async (request, reply) => {
    const part = await request.file();
    if (!part || part.fieldname !== 'attachment') return reply.code(400).send({ error: 'attachment' });
    const bytes = await part.toBuffer();
    const one = { uuid: crypto.randomUUID(), owner: request.person.id, name: part.filename, bytes };
    kept.set(one.uuid, one);
    return reply.code(201).send({ attachment: { uuid: one.uuid, name: one.name, length: bytes.length } });
  });

  app.get('/attachments', { preHandler: signedIn }, async (request) => {
    const own = [...kept.values()].filter((one) => one.owner === request.person.id);
    return own.map((one) => ({ uuid: one.uuid, name: one.name, length: one.bytes.length }));
  });

  app.get('/attachments/:uuid/raw', { preHandler: signedIn }, async (request, reply) => {
    const one = kept.get(request.params.uuid);
    if (!one) return reply.code(404).send({ error: 'none' });
    return reply.header('content-type', 'application/octet-stream').header('content-disposition', 'attachment').send(one.bytes);
  });

  app.delete('/attachments/:uuid', { preHandler: signedIn }, async (request, reply) => {
    const one = kept.get(request.params.uuid);
    if (!one || one.owner !== request.person.id) return reply.code(404).send({ error: 'none' });
    kept.delete(one.uuid);
    return reply.code(204).send();
  });
}
