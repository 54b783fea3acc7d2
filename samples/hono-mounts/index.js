// A shelf on Hono: sub-apps mounted by route(), JWTs from its own middleware in a cookie, its usual port.
import crypto from 'node:crypto';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { sign, verify } from 'hono/jwt';

const secret = process.env.SESSION_SECRET || 'dev-secret';
const members = new Map();
const books = new Map();

const hash = (password, salt) => crypto.scryptSync(password, salt, 32).toString('hex');

async function member(c) {
  try {
    const claims = await verify(getCookie(c, 'shelf'), secret, 'HS256');
    return [...members.values()].find((one) => one.id === claims.sub);
  } catch {
    return undefined;
  }
}

const auth = new Hono();
auth.post('/sign-up', async (c) => {
  const { mail, pass } = await c.req.json();
  if (typeof mail !== 'string' || typeof pass !== 'string' || pass.length < 8) return c.json({ error: 'mail and pass' }, 400);
  if (members.has(mail)) return c.json({ error: 'taken' }, 409);
  const salt = crypto.randomBytes(16).toString('hex');
  members.set(mail, { id: crypto.randomUUID(), mail, salt, hash: hash(pass, salt) });
  return c.json({ ok: true }, 201);
});
auth.post('/sign-in', async (c) => {
  const { mail, pass } = await c.req.json();
  const one = members.get(mail);
  const given = hash(String(pass), one ? one.salt : 'none');
  if (!one || one.hash !== given) return c.json({ error: 'wrong' }, 401);
  const token = await sign({ sub: one.id, exp: Math.floor(Date.now() / 1000) + 3600 }, secret);
  setCookie(c, 'shelf', token, { httpOnly: true, sameSite: 'Lax' });
  return c.json({ ok: true });
});
auth.get('/self', async (c) => {
  const one = await member(c);
  return one ? c.json({ self: { id: one.id, mail: one.mail } }) : c.json({ error: 'sign in' }, 401);
});

const shelf = new Hono();
shelf.post('/', async (c) => {
  const one = await member(c);
  if (!one) return c.json({ error: 'sign in' }, 401);
  const { title, text } = await c.req.json();
  const book = { id: crypto.randomUUID(), owner: one.id, title, text };
  books.set(book.id, book);
  return c.json({ book: { id: book.id } }, 201);
});
shelf.get('/:id', async (c) => {
  const one = await member(c);
  const book = books.get(c.req.param('id'));
  if (!one || !book || book.owner !== one.id) return c.json({ error: 'none' }, 404);
  return c.json({ book: { id: book.id, title: book.title, text: book.text } });
});

const app = new Hono();
app.route('/auth', auth);
app.route('/books', shelf);
serve({ fetch: app.fetch, port: 8787 });
