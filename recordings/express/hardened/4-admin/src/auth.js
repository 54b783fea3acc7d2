import { Router } from 'express';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { isDuplicate, one, run } from './db.js';
import { fit, text } from './input.js';
import { loginLimit, registerLimit } from './limits.js';
import { keep, matches, problem } from './passwords.js';
import { Refusal } from './refusal.js';
import { settings } from './settings.js';

const EMAIL = /^[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,63}$/;

const Credentials = z.object({ email: text(0, 254).trim().toLowerCase(), password: text(0, 200) });
const Registration = Credentials.extend({ email: Credentials.shape.email.regex(EMAIL) });

function issueToken(userId) {
  return jwt.sign({}, settings.jwtSecret, {
    algorithm: 'HS256',
    subject: String(userId),
    expiresIn: `${settings.tokenHours}h`,
  });
}

function userOf(header) {
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header ?? '')?.[1];
  if (!token) return undefined;
  let claims;
  try {
    claims = jwt.verify(token, settings.jwtSecret, { algorithms: ['HS256'] });
  } catch {
    return undefined;
  }
  const id = Number(claims.sub);
  if (!claims.exp || !Number.isSafeInteger(id)) return undefined;
  return one('SELECT id, email, role FROM users WHERE id = ?', id);
}

/** Only for who is signed in: that is `req.user`. */
export function signedIn(req, res, next) {
  req.user = userOf(req.headers.authorization);
  if (!req.user) throw new Refusal(401, 'not signed in', { 'WWW-Authenticate': 'Bearer' });
  next();
}

export const auth = Router();

auth.post('/register', registerLimit, async (req, res) => {
  const { email, password } = fit(Registration, req.body);
  const wrong = problem(password, email);
  if (wrong) throw new Refusal(422, wrong);
  const kept = await keep(password);
  try {
    const { id } = run('INSERT INTO users (email, password) VALUES (?, ?)', email, kept);
    res.status(201).json({ token: issueToken(id) });
  } catch (error) {
    if (isDuplicate(error)) throw new Refusal(409, 'this email is registered');
    throw error;
  }
});

auth.post('/login', loginLimit, async (req, res) => {
  const { email, password } = fit(Credentials, req.body);
  const user = one('SELECT id, password FROM users WHERE email = ?', email);
  if (!(await matches(password, user?.password))) throw new Refusal(401, 'wrong email or password');
  res.json({ token: issueToken(user.id) });
});

auth.get('/me', signedIn, (req, res) => {
  res.json(req.user);
});
