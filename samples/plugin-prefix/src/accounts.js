import crypto from 'node:crypto';

export const sessions = new Map();
const people = new Map();

export function signedIn(request, reply, done) {
  const token = (request.headers.authorization || '').replace(/^Bearer /, '');
  request.person = sessions.get(token);
  if (!request.person) return reply.code(401).send({ error: 'not signed in' });
  done();
}

export default async function accounts(app) {
  app.post('/join', async (request, reply) => {
    const { username, passphrase } = request.body ?? {};
    if (typeof username !== 'string' || typeof passphrase !== 'string') return reply.code(400).send({ error: 'username, passphrase' });
    if (people.has(username)) return reply.code(409).send({ error: 'taken' });
    const salt = crypto.randomBytes(16);
    people.set(username, { id: crypto.randomUUID(), username, salt, hash: crypto.pbkdf2Sync(passphrase, salt, 1000, 32, 'sha256') });
    return reply.code(201).send({ joined: true });
  });

  app.post('/sessions', async (request, reply) => {
    const { username, passphrase } = request.body ?? {};
    const person = people.get(username);
    const given = crypto.pbkdf2Sync(String(passphrase), person?.salt ?? 'x', 1000, 32, 'sha256');
    if (!person || !crypto.timingSafeEqual(given, person.hash)) return reply.code(401).send({ error: 'no' });
    const token = crypto.randomBytes(24).toString('hex');
    sessions.set(token, person);
    return { auth_token: token };
  });

  app.get('/whoami', { preHandler: signedIn }, async (request) => ({ uid: request.person.id, username: request.person.username }));
}
