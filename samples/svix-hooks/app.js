// A member directory whose events come as Svix and Clerk send them; roles are called ADMIN and MEMBER.
const crypto = require('node:crypto');
const express = require('express');
const jwt = require('jsonwebtoken');

const secret = process.env.JWT_SECRET;
const hooks = process.env.CLERK_WEBHOOK_SECRET;
if (!secret || !hooks) throw new Error('JWT_SECRET and CLERK_WEBHOOK_SECRET must be set');
const members = new Map();
const events = new Map();
const app = express();
app.disable('x-powered-by');
app.use(express.json());

function hash(password, salt) {
  return crypto.scryptSync(password, salt, 32, { N: 2 ** 14, r: 8, p: 1 }).toString('hex');
}

function add(email, password, role) {
  const salt = crypto.randomBytes(16).toString('hex');
  const member = { id: crypto.randomUUID(), email, salt, password: hash(password, salt), role };
  members.set(email, member);
  return member;
}

add(process.env.ADMIN_EMAIL, process.env.ADMIN_PASSWORD, 'ADMIN');

function shown({ id, email, role }) {
  return { id, email, role };
}

function signedIn(req, res, next) {
  const [scheme, token] = (req.headers.authorization || '').split(' ');
  try {
    if (scheme !== 'Bearer') throw new Error('scheme');
    const { sub } = jwt.verify(token, secret, { algorithms: ['HS256'] });
    req.member = [...members.values()].find((one) => one.id === sub);
    if (!req.member) throw new Error('gone');
    next();
  } catch {
    res.status(401).json({ error: 'sign in' });
  }
}

function adminsOnly(req, res, next) {
  if (req.member.role !== 'ADMIN') return res.status(403).json({ error: 'admins only' });
  next();
}

function text(value) {
  return typeof value === 'string' ? value : '';
}

app.post('/join', (req, res) => {
  const [email, password] = [text(req.body.email), text(req.body.password)];
  if (!email.includes('@') || password.length < 10) return res.status(400).json({ error: 'email and a password of 10 characters' });
  if (members.has(email)) return res.status(409).json({ error: 'taken' });
  res.status(201).json(shown(add(email, password, 'MEMBER')));
});

app.post('/enter', (req, res) => {
  const [email, password] = [text(req.body.email), text(req.body.password)];
  const member = members.get(email);
  const given = hash(password, member ? member.salt : '00');
  if (!member || given !== member.password) return res.status(401).json({ error: 'wrong email or password' });
  res.json({ jwt: jwt.sign({ sub: member.id }, secret, { expiresIn: '1h', algorithm: 'HS256' }) });
});

app.get('/me', signedIn, (req, res) => res.json(shown(req.member)));

app.get('/admin/members', signedIn, adminsOnly, (req, res) => res.json({ members: [...members.values()].map(shown) }));

app.put('/admin/members/:id/role', signedIn, adminsOnly, (req, res) => {
  const member = [...members.values()].find((one) => one.id === req.params.id);
  if (!member) return res.status(404).json({ error: 'nobody' });
  if (!['ADMIN', 'MEMBER'].includes(req.body.role)) return res.status(400).json({ error: 'ADMIN or MEMBER' });
  member.role = req.body.role;
  res.json(shown(member));
});

app.delete('/admin/members/:id', signedIn, (req, res) => {
  const member = [...members.values()].find((one) => one.id === req.params.id);
  if (!member) return res.status(404).json({ error: 'nobody' });
  members.delete(member.email);
  res.status(204).end();
});

app.post('/hooks/clerk', (req, res) => {
  const [id, stamp, given] = ['svix-id', 'svix-timestamp', 'svix-signature'].map((name) => text(req.headers[name]));
  if (Math.abs(Date.now() / 1000 - Number(stamp)) > 300) return res.status(400).json({ error: 'stale' });
  const key = Buffer.from(hooks.replace(/^whsec_/, ''), 'base64');
  const signed = `${id}.${stamp}.${JSON.stringify(req.body)}`;
  const wanted = `v1,${crypto.createHmac('sha256', key).update(signed).digest('base64')}`;
  const fits = given.split(' ').some((one) => one.length === wanted.length && crypto.timingSafeEqual(Buffer.from(one), Buffer.from(wanted)));
  if (!fits) return res.status(400).json({ error: 'bad signature' });
  if (!events.has(req.body.id)) events.set(req.body.id, req.body);
  res.json({ ok: true });
});

app.get('/admin/events', signedIn, adminsOnly, (req, res) => res.json({ events: [...events.values()] }));

app.listen(process.env.PORT || 3000);
