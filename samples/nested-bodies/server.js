// Articles with the bodies and the scheme of "Conduit" apps: everything wrapped, `Authorization: Token …`, a port of its own.
const crypto = require('node:crypto');
const express = require('express');
const jwt = require('jsonwebtoken');

const secret = process.env.JWT_SECRET || crypto.randomBytes(32).toString('hex');
const users = new Map();
const articles = new Map();
const app = express();
app.disable('x-powered-by');
app.use(express.json());

function hash(password, salt) {
  return crypto.scryptSync(password, salt, 32, { N: 2 ** 14, r: 8, p: 1 }).toString('hex');
}

function answer(user) {
  const token = jwt.sign({ id: user.id }, secret, { expiresIn: '1h', algorithm: 'HS256' });
  return { user: { id: user.id, email: user.email, token } };
}

function auth(req, res, next) {
  const [scheme, token] = (req.headers.authorization || '').split(' ');
  try {
    if (scheme !== 'Token') throw new Error('scheme');
    const { id } = jwt.verify(token, secret, { algorithms: ['HS256'] });
    req.user = [...users.values()].find((user) => user.id === id);
    if (!req.user) throw new Error('gone');
    next();
  } catch {
    res.status(401).json({ errors: { token: ['is missing or wrong'] } });
  }
}

const api = express.Router();

api.post('/users', (req, res) => {
  const { email, password } = req.body.user || {};
  if (typeof email !== 'string' || typeof password !== 'string' || password.length < 8) {
    return res.status(422).json({ errors: { user: ['needs an email and a password of 8 characters'] } });
  }
  if (users.has(email)) return res.status(422).json({ errors: { email: ['is taken'] } });
  const salt = crypto.randomBytes(16).toString('hex');
  const user = { id: crypto.randomUUID(), email, salt, password: hash(password, salt) };
  users.set(email, user);
  res.status(201).json(answer(user));
});

api.post('/users/login', (req, res) => {
  const { email, password } = req.body.user || {};
  const user = users.get(email);
  const given = hash(String(password), user ? user.salt : '00');
  if (!user || given !== user.password) return res.status(403).json({ errors: { 'email or password': ['is invalid'] } });
  res.json(answer(user));
});

api.get('/user', auth, (req, res) => res.json({ user: { id: req.user.id, email: req.user.email } }));

api.post('/articles', auth, (req, res) => {
  const { title, body } = req.body.article || {};
  const article = { id: crypto.randomUUID(), owner: req.user.id, title, body, createdAt: new Date().toISOString() };
  articles.set(article.id, article);
  res.status(201).json({ article: { id: article.id } });
});

api.get('/articles/:id', auth, (req, res) => {
  const article = articles.get(req.params.id);
  if (!article || article.owner !== req.user.id) return res.status(404).json({ errors: { article: ['not found'] } });
  const { owner, ...shown } = article;
  res.json({ article: shown });
});

app.use('/api', api);
app.listen(3000);
